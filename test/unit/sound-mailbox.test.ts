import { expect, it } from 'vitest';
import { readMailbox } from '../../activities/delivery/read-mailbox.ts';
import { soundMailbox } from '../../activities/delivery/sound-mailbox.ts';
import { Refused } from '../../activities/stores/outcomes/refused.ts';

it.each([
  ['ann@example.com', 'ann@example.com'],
  ["o'neil+shop=1@mail.example.co.uk", "o'neil+shop=1@mail.example.co.uk"],
  ['ann@EXAMPLE.com', 'ann@example.com'],
  ['ann@localhost', 'ann@localhost'],
  // The domain becomes ASCII; the name before it stays, in one form.
  ['ann@müller.example', 'ann@xn--mller-kva.example'],
  ['jürgen@example.com', 'jürgen@example.com'],
  ['用户@例え.jp', '用户@xn--r8jz45g.jp'],
])('takes %s', (given, sound) => {
  expect(soundMailbox({ address: given })).toEqual({ address: sound });
});

it.each([
  ['no at sign', 'ann.example.com'],
  ['nothing before the @', '@example.com'],
  ['nothing behind it', 'ann@'],
  ['a line end and a header', 'ann@example.com\r\nBcc: eve@example.com'],
  ['a line end before the @', 'ann\r\nRCPT TO:<eve@example.com>\r\n@example.com'],
  ['a bare line feed', 'ann\n@example.com'],
  ['a NUL', 'ann\0@example.com'],
  ['a space', 'ann smith@example.com'],
  ['angle brackets', '<ann@example.com>'],
  ['two addresses', 'ann@example.com,eve@example.com'],
  ['two @', 'ann@eve@example.com'],
  ['a name in quotes', '"ann"@example.com'],
  ['a comment', 'ann(eve)@example.com'],
  ['a full-width @, which folds to one', 'ann＠eve.example@example.com'],
  ['a full-width line that folds to an address list', 'ann，eve@example.com'],
  ['a character that turns the direction of text', 'ann\u202e@example.com'],
  ['a character that is not seen', 'ann\u200b@example.com'],
  ['a line separator', 'ann\u2028@example.com'],
  ['an option of a program', '-oQ/tmp@example.com'],
  ['a dot at the end', 'ann.@example.com'],
  ['two dots', 'a..n@example.com'],
  ['an underscore in the domain', 'ann@exa_mple.com'],
  ['a route', 'ann@[127.0.0.1]'],
  ['a path', 'ann@example.com/eve.example'],
  ['a backslash', 'ann@example.com\\eve.example'],
  ['a query', 'ann@example.com?eve.example'],
  ['a fragment', 'ann@example.com#eve.example'],
  ['a port', 'ann@example.com:25'],
  ['a domain in percent', 'ann@ex%61mple.com'],
  ['65 bytes before the @', `${'a'.repeat(65)}@example.com`],
  ['too long an address', `a@${'b.'.repeat(130)}com`],
])('refuses %s', (_, address) => {
  expect(() => soundMailbox({ address })).toThrow(Refused);
});

it.each([
  ['a line end and a header', 'Ann\r\nBcc: eve@example.com'],
  ['an address that hides the true one', 'support@bank.example'],
  ['quotes that end the name', 'Ann" <eve@example.com>, "'],
  ['a backslash', 'Ann\\'],
  ['a full-width @', 'support＠bank.example'],
  ['a character that turns the direction of text', 'Ann\u202egnp'],
  ['nothing', '   '],
  ['101 characters', 'a'.repeat(101)],
])('refuses a name with %s', (_, name) => {
  expect(() => soundMailbox({ address: 'ann@example.com', name })).toThrow(Refused);
});

it('takes names of all scripts', () => {
  for (const name of ['Ann Smith', 'Jürgen Müller-Lüdenscheidt', 'Nguyễn Thị', '田中 太郎', "D'Arcy"])
    expect(soundMailbox({ address: 'ann@example.com', name })).toEqual({ address: 'ann@example.com', name });
});

it('says what to do, and does not repeat what it was given', () => {
  try {
    soundMailbox({ address: 'ann\r\nBcc: eve@example.com' });
    expect.unreachable();
  } catch (error) {
    expect((error as Refused).refusal).toMatchObject({ code: 'recipient-unsound' });
    expect((error as Refused).refusal.detail).not.toContain('eve');
  }
});

it.each([
  ['shop@example.com', { address: 'shop@example.com' }],
  ['The shop <shop@example.com>', { address: 'shop@example.com', name: 'The shop' }],
  ['"The shop" <shop@example.com>', { address: 'shop@example.com', name: 'The shop' }],
  ['<shop@example.com>', { address: 'shop@example.com' }],
])('reads who mail is from: %s', (text, mailbox) => {
  expect(readMailbox(text)).toEqual(mailbox);
});

it.each(['The shop', 'The shop <shop>', 'a@b <c@d.example>', 'The shop <shop@example.com> and more'])(
  'refuses to send mail from %s',
  (text) => {
    expect(() => readMailbox(text)).toThrow();
  },
);
