import { readdirSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { expect, it } from 'vitest';
import { flows } from '../../workflows/flows.ts';
import { enginePlaces, isBusiness, standsIn } from './is-business.ts';
import { mayImport, roomOf, rooms, target, wallAgainst } from './rooms.ts';
import { filesUnder, parseSource, readSource, readText, repository } from './source-files.ts';

const folders = ['workflows', 'activities', 'client', 'sdk', 'workers'];
const furniture = [
  ...['.ci', '.dockerignore', '.env', '.gitignore', '.npmrc', 'biome.json', 'oxlint.config.ts', 'vitest.config.ts'],
  ...['ARCHITECTURE.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'Dockerfile', 'LICENSE', 'README.md', 'docs'],
  'package-lock.json',
];
const design = ['package.json', 'tsconfig.json', ...folders, 'docker-compose.yml', 'test'];
const ignored = ['.git', '.hapax', 'coverage', 'dist', 'node_modules'];

/** 200 lines are a smell (one idea a file, about 80 lines); this is where the smell becomes a fault. */
const mostLines = 250;
/** Shows all tables and functions in one place; nobody writes it (`npm run schema`). */
const generated = 'activities/stores/postgres/schema.sql';

const sql = /\binsert\s+into\s|\bdelete\s+from\s|\bupdate\s+[\w."?]+\s+(as\s+\w+\s+)?set\s|\bselect\s[^]*\sfrom\s/i;
const io =
  /^(pg|@redis\/client|stripe|fastify|pino|sharp|@nats-io|@aws-sdk|@fastify|@temporalio\/(client|worker|activity))(\/|$)/;
const drawer = /(^|[-.])(utils?|helpers?|types|constants?|shared|common|lib)$/;

/** What tells a duplicate from something new, takes the name, holds the fence and gives the stored answer. */
const dedup = [
  ...[
    'client/gateway.ts',
    'client/gateway/answer-cache.ts',
    'client/gateway/copied-answers.ts',
    'client/gateway/outcomes.ts',
  ],
  ...['begin-step', 'claim', 'enter', 'settle', 'stored-answer', 'take'].map(
    (name) => `activities/stores/postgres/ledger/${name}.ts`,
  ),
  'workflows/operation/fingerprint.ts',
];

const inRooms = folders.flatMap(filesUnder);
const inTests = filesUnder('test');
const isCode = (path: string) => /\.tsx?$/.test(path);
const sources = [...inRooms, ...inTests].filter(isCode).map(readSource);
const product = sources.filter((source) => !source.path.startsWith('test/'));

it('keeps the top level to the rooms and the furniture of a repository', () => {
  const entries = readdirSync(repository).filter((entry) => !ignored.includes(entry) && !entry.endsWith('.log'));
  expect(entries.filter((entry) => ![...design, ...furniture].includes(entry))).toEqual([]);
  expect(design.filter((entry) => !entries.includes(entry))).toEqual([]);
});

it('imports one way: workers, client, workflows, activities by type, stores, heart', () => {
  const imports = sources.flatMap((source) => source.imports);
  expect(imports.map(wallAgainst).filter((wall) => wall !== undefined)).toEqual([]);
});

it('gives every file a room, and names no room that is known only to the list', () => {
  const paths = sources.map(({ path }) => path);
  expect(paths.filter((path) => roomOf(path) === undefined)).toEqual([]);
  const empty = Object.keys(rooms).filter((room) => !paths.some((path) => roomOf(path) === room));
  expect(empty).toEqual([]);
});

it('imports only files that are there, by their full name', () => {
  const there = new Set([...inRooms, ...inTests]);
  const missing = sources
    .flatMap((source) => source.imports)
    .filter((found) => /\.tsx?$/.test(found.specifier) && !there.has(target(found) ?? ''))
    .map((found) => `${found.from} imports ${found.specifier}`);
  expect(missing).toEqual([]);
});

it('gives workflows no Node built-in and no package that does input or output', () => {
  const replayed = Object.values(rooms).filter(({ at }) => at.some((place) => place.startsWith('workflows/')));
  for (const { packages } of replayed) expect(packages?.filter((name) => isBuiltin(name) || io.test(name))).toEqual([]);
  const imports = sources.filter(({ path }) => path.startsWith('workflows/')).flatMap((source) => source.imports);
  expect(imports.map(wallAgainst).filter((wall) => wall !== undefined)).toEqual([]);
});

it('speaks SQL only in activities/stores/postgres', () => {
  const elsewhere = product.filter((source) => !source.path.startsWith('activities/stores/postgres/'));
  const found = elsewhere.flatMap((source) =>
    source.strings.filter((text) => sql.test(text)).map((text) => [source.path, text]),
  );
  expect(found).toEqual([]);
  expect(inRooms.filter((path) => path.endsWith('.sql') && !path.startsWith('activities/stores/postgres/'))).toEqual(
    [],
  );
});

it('keeps dedup out of the stories and their effects, and the stories out of dedup', () => {
  const files = new Set(product.map(({ path }) => path));
  for (const path of dedup) expect(files).toContain(path);
  const business = product.filter(({ path }) => isBusiness(path));
  for (const { name, workflow } of flows)
    expect(business.map(({ path }) => path)).toEqual(
      expect.arrayContaining([...(workflow === 'tells' ? [`workflows/${name}.ts`] : []), `workflows/${name}.flow.ts`]),
    );
  const mixed = product
    .flatMap((source) => source.imports)
    .map((found) => ({ from: found.from, to: target(found) ?? '' }))
    .filter(({ from, to }) => (isBusiness(from) && dedup.includes(to)) || (dedup.includes(from) && isBusiness(to)))
    .map(({ from, to }) => `${from} imports ${to}`);
  expect(mixed).toEqual([]);
});

it('takes for business what is not listed as the engine’s, so that a new file of a flow is held to it too', () => {
  const places = ['accounts.ts', 'stores/ledgers/open.ts', 'stores/postgres/accounts/open-account.ts'];
  expect(places.map((place) => isBusiness(`activities/${place}`))).toEqual([true, true, true]);
  const engines = ['engine/run-step.ts', 'stores/postgres/database.ts', 'stores/postgres/ledger/resolutions/x.ts'];
  expect(engines.map((place) => isBusiness(`activities/${place}`))).toEqual([false, false, false]);
  // A place that holds nothing any more would let the next file of that name escape.
  expect(enginePlaces.filter((place) => !inRooms.some((path) => standsIn(place, path)))).toEqual([]);
});

it('reads the environment only in workers/config.ts', () => {
  const readers = product.filter((source) => source.readsEnvironment).map((source) => source.path);
  expect(readers).toEqual(['workers/config.ts']);
});

it('names no file or folder as a drawer for anything', () => {
  const paths = [...inRooms, ...inTests];
  const drawers = paths.filter((path) => path.split('/').some((part) => drawer.test(part.replace(/\.\w+$/, ''))));
  expect(drawers).toEqual([]);
});

it('names files in kebab-case, after what they hold', () => {
  const named = /^(\d{4}_[a-z0-9_]+|[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9-]+)*)\.[a-z0-9]+$/;
  expect(inRooms.filter((path) => !named.test(path.split('/').at(-1) ?? ''))).toEqual([]);
});

it(`holds one idea a file: none in the rooms passes ${mostLines} lines`, () => {
  const written = inRooms.filter((path) => path !== generated);
  const long = written.map((path) => ({ path, lines: readText(path).split('\n').length - 1 }));
  expect(long.filter(({ lines }) => lines > mostLines)).toEqual([]);
});

it('locks versions and digests, not the addresses of one registry', () => {
  const lock = JSON.parse(readText('package-lock.json')) as { packages: Record<string, { resolved?: string }> };
  const addressed = Object.entries(lock.packages).filter(([, entry]) => entry.resolved !== undefined);
  // npm writes none with `npm install --omit-lockfile-registry-resolved`.
  expect(addressed.map(([name]) => name)).toEqual([]);
});

it('sees what it looks for', () => {
  const bad = parseSource(
    'workflows/checkout.ts',
    [
      "import { pay } from '../activities/payments.ts';",
      "import type { Pay } from '../activities/payments.ts';",
      "export { go } from '../client/gateway.ts';",
      "const late = import('node:fs');",
      'const query = `update ${table} set state = 1`;',
      "// process.env.COMMENT and 'delete from comment' do not count",
      'const secret = globalThis.process.env.SECRET;',
    ].join('\n'),
  );
  expect(bad.imports.map((found) => [target(found) ?? found.specifier, found.typeOnly])).toEqual([
    ['activities/payments.ts', false],
    ['activities/payments.ts', true],
    ['client/gateway.ts', false],
    ['node:fs', false],
  ]);
  expect(bad.strings.filter((text) => sql.test(text))).toEqual(['update ? set state = 1']);
  expect(bad.readsEnvironment).toBe(true);
  expect(parseSource('a.ts', "import { env } from 'node:process';").readsEnvironment).toBe(true);
  expect(parseSource('a.ts', 'const { env } = process;').readsEnvironment).toBe(true);
  expect(parseSource('a.ts', 'process.exit(config.env);').readsEnvironment).toBe(false);
  expect([sql.test('Select a card from'), sql.test('select 1 from operation'), sql.test('insert into')]).toEqual([
    ...[false, true, false],
  ]);
});

it.each([
  ['workflows/checkout.ts', 'activities/payments.ts', false, false],
  ['workflows/checkout.ts', 'activities/payments.ts', true, true],
  ['workflows/checkout.ts', 'activities/stores/s3/head.ts', true, false],
  ['workflows/operation/key.ts', 'workflows/checkout.ts', true, false],
  ['workflows/operation/key.ts', 'workflows/engine/step.ts', true, false],
  ['workflows/engine/step.ts', 'workflows/checkout.ts', true, false],
  ['workflows/checkout.ts', 'workflows/engine/step.ts', false, true],
  ['activities/engine/outside-step.ts', 'activities/payments.ts', true, false],
  ['activities/payments.ts', 'activities/engine/outside-step.ts', false, true],
  ['activities/payments.ts', 'workflows/operation/key.ts', false, true],
  ['activities/payments.ts', 'workflows/checkout.flow.ts', true, true],
  ['activities/payments.ts', 'workflows/checkout.ts', true, false],
  ['workflows/checkout.flow.ts', 'workflows/engine/step.ts', true, false],
  ['activities/stores/postgres/ledger/claim.ts', 'activities/payments.ts', false, false],
  ['client/gateway.ts', 'activities/stores/postgres/ledger/claim.ts', false, true],
  ['client/http/upload.ts', 'activities/stores/s3/head.ts', false, true],
  ['client/http/upload.ts', 'activities/stores/redis/get.ts', false, false],
  ['client/gateway/copied-answers.ts', 'activities/stores/redis/get.ts', false, true],
  ['client/dedup/once.ts', 'client/gateway.ts', true, false],
  ['client/http/upload.ts', 'activities/payments.ts', false, false],
  ['sdk/client.ts', 'activities/stores/postgres/ledger/claim.ts', false, false],
  ['sdk/client.ts', 'client/gateway.ts', true, false],
  ['sdk/client.ts', 'workflows/operation/state.ts', false, true],
  ['client/gateway.ts', 'workers/config.ts', false, false],
  ['workers/http.ts', 'client/gateway.ts', false, true],
  ['workers/http.ts', 'test/support/stack.ts', false, false],
])('from %s to %s (by type: %s) is allowed: %s', (from, to, typeOnly, allowed) => {
  expect([roomOf(from), mayImport(from, to, typeOnly)]).toEqual([roomOf(from), allowed]);
});
