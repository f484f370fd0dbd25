import { expect, it } from 'vitest';
import { fileName } from '../../workflows/operation/file-name.ts';

const said = (name: string) => fileName.safeParse(name).error?.issues[0]?.message;

it.each(['con', 'NUL.txt', 'Aux.tar.gz', 'com1', 'LPT9.log', 'COM¹'])(
  'a file is not named like a device: %s',
  (name) => {
    expect(said(name)).toMatch(/^Windows keeps this name for a device/);
  },
);

it.each([0x202a, 0x202e, 0x2066, 0x2069])('a name does not turn its text around: U+%i', (code) => {
  expect(said(`photo${String.fromCodePoint(code)}gpj.exe`)).toMatch(/^leave out the characters that turn text/);
});

it.each([' ', '\u200b', '\u00ad\u2060', '\ufeff', '\u3164', '...', ' . '])(
  'something of a name can be seen: %j',
  (name) => {
    expect(said(name)).toBe('give a name of which something can be seen');
  },
);

it.each([
  ...[
    'concert.pdf',
    'nullable.ts',
    'com10',
    'communication',
    '.env',
    '..gitignore',
    'a.',
    ' a',
    '日本語.txt',
    'क्षत्रिय.jpg',
  ],
  ...['👨‍👩‍👧.png', 'résumé.doc', 'שלום.txt', 'مرحبا.pdf', "it's <ok>?.txt", 'a:b.txt'],
])('other names are taken as they are: %s', (name) => {
  expect(said(name)).toBeUndefined();
});

it.each(['', '.', '..', 'a/b', 'a\\b', 'a\0b', 'a\u0085b', '\ud83d'])(
  'a path, or what no file can be named, is refused: %j',
  (name) => {
    expect(fileName.safeParse(name).success).toBe(false);
  },
);
