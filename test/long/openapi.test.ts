import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';
import { provideSchemathesis } from './schemathesis.ts';

/** Random cases of each operation and mode, besides those that follow from the schema. With them a run takes four minutes, on a busy machine ten. */
const examples = 100;

const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
  'missing_required_header',
  'ignored_auth',
  'unsupported_method',
];

/** What sound requests of one operation got. */
type Rates = { readonly accepted: number; readonly conflicts: number; readonly rejected: number };

type Report = {
  readonly operations: { readonly total: number; readonly tested: number };
  readonly phases: Readonly<Record<string, { readonly status: string }>>;
  readonly test_cases: { readonly generated: number; readonly errored: number };
  readonly failures: readonly object[];
  readonly errors: readonly object[];
  readonly valid_rates: Readonly<Record<string, Readonly<Record<string, Rates>>>>;
};

let world: World;
let uploader: Uploader;
let program: string;
beforeAll(async () => {
  program = await provideSchemathesis();
  world = await World.create(inject('ground'), { media: true, env: { HAPAX_NEW_PER_MINUTE: '6000' } });
  uploader = await Uploader.of(world);
});
afterAll(async () => {
  await uploader.close();
  await world.close();
});

it('Schemathesis finds no status, header or body that the document does not have, and no fault of ours', async () => {
  const { address } = world.doors[0] as { address: string };
  const [config, report] = ['schemathesis.toml', 'report.json'].map((name) => join(world.directory, name)) as [
    string,
    string,
  ];
  await writeFile(config, await settings());
  const code = await shown([
    ...['--config-file', config, '--no-color', 'run', `${address}/openapi.json`],
    ...['--header', 'Authorization: Bearer operator-alpha', '--checks', checks.join(',')],
    ...['--max-examples', String(examples), '--continue-on-failure', '--generation-database', 'none'],
    // An answer may wait for an outcome as long as `Prefer` asks, 30 s at most. Seconds.
    ...['--request-timeout', '60', '--suppress-health-check', 'too_slow'],
    ...['--report', 'json', '--report-json-path', report],
  ]);
  const told = JSON.parse(await readFile(report, 'utf8')) as Report;
  expect([code, told.failures, told.errors]).toEqual([0, [], []]);

  const { paths } = (await world.ask('GET', '/openapi.json')).json as { paths: Record<string, object> };
  const documented = Object.values(paths).flatMap((methods) => Object.keys(methods));
  expect(told.operations).toMatchObject({ total: documented.length, tested: documented.length });
  expect(Object.values(told.phases).map(({ status }) => status)).toEqual(Array(4).fill('success'));
  expect(told.test_cases.errored).toBe(0);
  expect(told.test_cases.generated).toBeGreaterThan(1_000);
  // Not found alone would prove little: sound requests got further at each operation.
  for (const [operation, phases] of Object.entries(told.valid_rates)) {
    const further = Object.values(phases).reduce((sum, one) => sum + one.accepted + one.conflicts + one.rejected, 0);
    expect([operation, further > 0]).toEqual([operation, true]);
  }
  console.log(`${told.test_cases.generated} cases`);
});

/** Operations that exist, and words that mean something to the shop: guesses would hardly ever meet them. */
async function settings(): Promise<string> {
  const paid = (await world.checkout('paid')).json.id as string;
  const ids = [paid];
  // No bytes at all are what a fuzzer guesses first.
  for (let n = 0; n < 10; n += 1) ids.push((await uploader.announced(`open-${n}`, Buffer.alloc(0))).id);
  for (let n = 0; n < 10; n += 1) {
    const sent = await uploader.announced(`sent-${n}`, Buffer.from('abc'));
    await uploader.send(sent, Buffer.from('abc'));
    ids.push(sent.id);
  }
  const words = ['mug-blue', 'book-small', 'poster', 'pm_card_visa', 'pm_card_chargeDeclined', 'text/plain', 'door'];
  return [
    '[dictionaries]',
    `ids = { values = ${JSON.stringify(ids)} }`,
    `words = { values = ${JSON.stringify(words)} }`,
    '[parameters]',
    'id = { dictionary = "ids", probability = 0.7 }',
    '[generation.dictionaries]',
    'string = { dictionary = "words", probability = 0.3 }',
    // The events of an operation that goes on do not end in the time that a request has.
    '[[operations]]',
    'include-path = "/v1/operations/{id}/events"',
    `parameters = { "path.id" = ${JSON.stringify(paid)} }`,
    'phases.stateful.enabled = false',
    '',
  ].join('\n');
}

/** Runs the program where it may leave its files, and shows what it says. */
async function shown(args: readonly string[]): Promise<number | null> {
  const child = spawn(program, args, { cwd: world.directory, stdio: ['ignore', 'inherit', 'inherit'] });
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
}
