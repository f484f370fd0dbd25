import { expect, it } from 'vitest';
import { namesIn } from './names.ts';
import { filesUnder, readText } from './source-files.ts';

/** Their exports are read by a tool: Temporal's bundler, vitest, lint. */
const readByTools =
  /^(workflows|test\/flows)\/index\.ts$|^test\/support\/global-setup\.ts$|\.config\.ts$|-plugin\.ts$|\.d\.ts$/;

/** Tables that a test compares with what cannot import them: the ledger's SQL and the documents. */
const compared = ['workflows/operation/state.ts#moves'];

const files = ['workflows', 'activities', 'client', 'sdk', 'workers', 'test']
  .flatMap(filesUnder)
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, ...namesIn(path, readText(path)) }));

/** What package.json exports is for others only where the documents show it. */
const entries = new Map(
  Object.entries((JSON.parse(readText('package.json')) as { exports: Record<string, string> }).exports),
);
const fileOf = (entry: string) => (entries.get(`./${entry}`) ?? entry).replace(/^\.\//, '');
const shown = ['README.md', ...filesUnder('docs').filter((path) => path.endsWith('.md'))].flatMap((path) =>
  [...readText(path).matchAll(/import \{([^}]*)\} from 'hapax\/([^']+)'/g)].flatMap(([, names = '', file = '']) =>
    names.split(',').map((name) => `${fileOf(file)}#${name.replace('type ', '').trim()}`),
  ),
);

/** What CONTRIBUTING teaches those who add a flow: no flow that we ship may need it yet. */
const taught = new Set(
  [...readText('CONTRIBUTING.md').matchAll(/```ts\n([^]*?)```|`([^`\n]+)`/g)].flatMap(([, block, word]) =>
    [...(block ?? word ?? '').matchAll(/\b[A-Za-z]\w+\b/g)].map(([name]) => name),
  ),
);

const importers = new Map<string, string[]>();
for (const { path, imported } of files)
  for (const name of imported) importers.set(name, [...(importers.get(name) ?? []), path]);

const exported = files
  .filter(({ path }) => !readByTools.test(path))
  .flatMap(({ path, exported: names, mentioned }) =>
    names.map((name) => ({
      ...{ name: `${path}#${name}`, path, usedAtHome: mentioned.filter((one) => one === name).length > 1 },
      by: [...(importers.get(`${path}#${name}`) ?? []), ...(importers.get(`${path}#*`) ?? [])],
    })),
  );

it('exports no name that nobody imports', () => {
  const byConvention = (name: string) => taught.has(name.split('#')[1] ?? '');
  const idle = exported.filter(({ name, by }) => by.length === 0 && !shown.includes(name) && !byConvention(name));
  expect(idle.map(({ name }) => name)).toEqual([]);
});

it('holds nothing in the product that only tests use', () => {
  const product = exported.filter(({ path, name }) => !path.startsWith('test/') && !shown.includes(name));
  const tested = product.filter(({ by }) => by.length > 0 && by.every((path) => path.startsWith('test/')));
  const idle = tested.filter(({ name, usedAtHome }) => !usedAtHome && !taught.has(name.split('#')[1] ?? ''));
  expect(idle.map(({ name }) => name)).toEqual(compared);
});

it('sees what it looks for', () => {
  const names = namesIn(
    'client/a.ts',
    [
      "import { one, two as second } from './b.ts';",
      "import * as all from '../c.ts';",
      "export { three as drei } from './b.ts';",
      "const late = import('./d.ts');",
      'export const four = 4, five = four;',
      'export type Six = typeof five;',
      'export async function seven() {}',
    ].join('\n'),
  );
  const imported = ['client/b.ts#one', 'client/b.ts#two', 'c.ts#*', 'client/b.ts#three', 'client/d.ts#*'];
  expect(names.imported).toEqual(imported);
  expect(names.exported).toEqual(['drei', 'four', 'five', 'Six', 'seven']);
  expect(names.mentioned.filter((name) => name === 'seven')).toHaveLength(1);
  expect(shown).toContain('client/gateway/connect.ts#connectGateway');
});
