import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { readConfig } from '../../workers/config.ts';
import { findNatsServer } from '../../workers/local/find-nats-server.ts';
import { findTemporal } from '../../workers/local/find-temporal.ts';
import { findVersitygw } from '../../workers/local/find-versitygw.ts';
import { becomes } from './becomes.ts';

/** `npm start`, as a person runs it: one stack after the other on one state directory. Each test needs the one before. */

/** On two cores that other tests use as well; alone it takes 6 s. Milliseconds. */
const upWithin = 60_000;
/** Enough for all waits of a test, so that it tells what it saw. Milliseconds. */
vi.setConfig({ testTimeout: 150_000 });
/** What is killed needs no answer from anybody. This allows for a busy machine. Milliseconds. */
const deadWithin = 30_000;
/** What a person waits after Ctrl-C. Milliseconds. */
const downWithin = 10_000;

let directory: string;
let settings: Record<string, string | undefined>;
let current: Start | undefined;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hapax-whole-'));
  const own = readConfig(['TEMPORAL_CLI', 'VERSITYGW', 'NATS_SERVER', 'PATH', 'HAPAX_STATE_DIRECTORY']);
  const common = { path: own.PATH, cache: join(own.HAPAX_STATE_DIRECTORY, 'cache', 'bin'), say: console.log };
  const parts = ['HTTP', 'POSTGRES', 'TEMPORAL', 'TEMPORAL_UI', 'S3', 'REDIS', 'NATS', 'SANDBOX', 'SMTP', 'MAIL_UI'];
  settings = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    TEMPORAL_CLI: await findTemporal({ ...common, chosen: own.TEMPORAL_CLI }),
    VERSITYGW: await findVersitygw({ ...common, chosen: own.VERSITYGW }),
    NATS_SERVER: await findNatsServer({ ...common, chosen: own.NATS_SERVER }),
    HAPAX_STATE_DIRECTORY: directory,
    ...Object.fromEntries(parts.map((part) => [`HAPAX_${part}_PORT`, '0'])),
  };
});
afterAll(async () => {
  current?.npm.kill('SIGKILL');
  for (const pid of current?.pids ?? []) if (alive(pid)) process.kill(pid, 'SIGKILL');
  await rm(directory, { recursive: true, force: true });
});

type Start = {
  readonly npm: ChildProcess;
  readonly out: () => string;
  /** The stack's own process and those of its parts, as stack.json tells. */
  readonly pids: readonly number[];
  readonly addresses: Readonly<Record<string, string>>;
};

type Run = { npm: ChildProcess; out: () => string; isRunning: () => boolean; ended: Promise<unknown> };

function run(): Run {
  const npm = spawn('npm', ['start'], { env: settings, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [npm.stdout, npm.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  // Not 'exit': what it has said may still be on its way then.
  const ended = new Promise((resolve) => npm.once('close', resolve));
  return { npm, out: () => text, isRunning: () => npm.exitCode === null, ended };
}

async function start(): Promise<Start> {
  const { npm, out, isRunning } = run();
  const isUp = () => out().includes('Ctrl-C stops everything');
  await becomes(() => isUp() || !isRunning(), upWithin);
  if (!isUp()) throw new Error(`npm start ${isRunning() ? 'is not ready' : 'ended'}, and has said:\n${out()}`);
  const { pid, processes, addresses } = JSON.parse(await readFile(join(directory, 'stack.json'), 'utf8'));
  const parts = Object.values(processes as Record<string, { pid: number }>);
  return { npm, out, addresses, pids: [pid as number, ...parts.map((part) => part.pid)] };
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const gone = ({ pids }: Start, within: number) => becomes(() => !pids.some(alive), within);

test('brings everything up and does the main job: one charge for three asks and one receipt, one photograph', async () => {
  current = await start();
  const { addresses, out, pids } = current;
  expect(pids.length).toBeGreaterThanOrEqual(8);
  const effects = (await (await fetch(`${addresses['Payment sandbox']}/_audit`)).json()) as { type: string }[];
  expect(effects.map(({ type }) => type)).toEqual([
    'payment_intent.created',
    'payment_intent.confirmed',
    'payment_intent.captured',
  ]);
  const page = await fetch(`${addresses.HTTP}/v1/operations`, { headers: { authorization: 'Bearer local-alpha' } });
  const { operations } = (await page.json()) as { operations: { flow: string; state: string; result: object }[] };
  expect(operations.map(({ flow, state }) => [flow, state])).toEqual([
    ['upload', 'succeeded'],
    ['checkout', 'succeeded'],
  ]);
  expect(operations[0]?.result).toMatchObject({ name: 'photograph.jpg', thumbnails: [{}, {}, {}], failures: [] });
  expect(out()).toContain('workflows/checkout%2Falpha');
  // The layer is optional, and the output says what became of it.
  expect(out()).toMatch(
    addresses.Redis === undefined ? /Redis is not used: REDIS_URL/ : /Redis is ready \(\S+-server\)/,
  );
  const caught = async () =>
    (await (await fetch(`${addresses['Mail catcher']}/api/email`)).json()) as { subject: string; text: string }[];
  expect(await becomes(async () => (await caught()).length > 0, 30_000)).toBe(true);
  expect(await caught()).toMatchObject([
    {
      subject: expect.stringMatching(/^\[test\] Your receipt for order ord_/),
      text: expect.stringContaining('25.00 EUR'),
    },
  ]);
  for (const name of ['HTTP', 'API documentation', 'Temporal UI', 'Mail catcher'])
    expect((await fetch(addresses[name] as string, { headers: { accept: 'text/html' } })).ok).toBe(true);
});

test('the upload is told with it, published to the broker, and counted once for its subject by the consumer `usage`', async () => {
  const { addresses } = current as Start;
  const { size } = await stat('docs/photograph.jpg');
  const sql = new pg.Pool({ connectionString: addresses.PostgreSQL, max: 1 });
  const broker = await connect({ servers: addresses.NATS as string, reconnect: false });
  try {
    const usage = async () => (await sql.query('select * from hapax.upload_usage')).rows;
    expect(await becomes(async () => (await usage()).length > 0, 30_000)).toBe(true);
    expect(await usage()).toMatchObject([
      { tenant: 'alpha', environment: 'test', uploads: '1', bytes: `${size}`, stored: expect.stringMatching(/^[1-9]/) },
    ]);
    const { rows: told } = await sql.query(
      `select o.id, o.operation_id, p.state, c.consumer, c.state as consumed
       from hapax.outbox o join hapax.publication p on p.message_id = o.id join hapax.consumed c on c.message = o.id
       where o.type = 'upload.used'`,
    );
    expect(told).toMatchObject([{ state: 'published', consumer: 'usage', consumed: 'done' }]);
    const { streams, consumers } = await jetstreamManager(broker);
    const subject = `hapax.alpha.test.upload.${told[0].operation_id}`;
    const published = await streams.getMessage('HAPAX_EVENTS', { last_by_subj: subject });
    expect(published?.json()).toMatchObject({ id: told[0].id, type: 'upload.used', data: { bytes: size } });
    // By the broker, and not by the log that stands in for one.
    const acknowledged = async () => (await consumers.info('HAPAX_EVENTS', 'hapax-usage')).num_ack_pending === 0;
    expect(await becomes(acknowledged, 10_000)).toBe(true);
    expect((await sql.query('select from hapax.consumer_shard')).rowCount).toBe(0);
  } finally {
    await Promise.all([sql.end(), broker.close()]);
  }
});

test('a second one beside it says so, and harms nothing', async () => {
  const second = run();
  await second.ended;
  expect(second.out()).toMatch(/already runs here/);
  expect(current?.pids.every(alive)).toBe(true);
});

test('npm that is killed takes all of it along', async () => {
  current?.npm.kill('SIGKILL');
  expect(await gone(current as Start, deadWithin)).toBe(true);
});

test('the next one finds its state, and a kill of its own process leaves nothing behind', async () => {
  current = await start();
  const page = await fetch(`${current.addresses.HTTP}/v1/operations?flow=checkout`, {
    headers: { authorization: 'Bearer local-alpha' },
  });
  expect(((await page.json()) as { operations: unknown[] }).operations).toHaveLength(2);
  process.kill(current.pids[0] as number, 'SIGKILL');
  expect(await gone(current, deadWithin)).toBe(true);
});

test('one that is asked to stop is down within 10 s', async () => {
  current = await start();
  current.npm.kill('SIGTERM');
  expect(await gone(current, downWithin)).toBe(true);
  const { out } = current;
  expect(await becomes(() => out().includes('Stopped'), deadWithin)).toBe(true);
});
