import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { messageId } from '../../workflows/operation/key.ts';
import { databaseNamed, dropDatabase } from '../support/database-named.ts';
import { doorHere } from '../support/door-here.ts';
import { NatsServer } from '../support/nats-server.ts';
import { ProcessHandle } from '../support/process-handle.ts';

/** Relays of their own processes between a real outbox and a real broker. What counts is what the stream holds. */

const operation = `op_${'0'.repeat(26)}`;
const relayScript = 'workers/relay.ts';
const faultyScript = 'test/support/faulty-relay.ts';
/** Longer than what the broker takes by default, 1 MiB. */
const tooLong = 1_200_000;

const name = `relay${randomBytes(4).toString('hex')}`;
const { postgresUrl, template, root, natsServer } = inject('ground');
let databaseUrl: string;
let sql: pg.Pool;
let broker: NatsServer;
const running: ProcessHandle[] = [];

beforeAll(async () => {
  databaseUrl = await databaseNamed(postgresUrl, name, template);
  sql = new pg.Pool({ connectionString: databaseUrl, max: 6 });
  await sql.query(
    `insert into hapax.operation (id, tenant, environment, subject, key_subject, flow, flow_version, key, generation, fingerprint,
       fingerprint_version, request, request_id, state)
     values ($1, 'alpha', 'test', 'ann', 'ann', 'checkout', 1, $1, 1, 'f', 1, '{}', 'req_1', 'claimed')`,
    [operation],
  );
  broker = await NatsServer.start(natsServer, root);
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((relay) => relay.kill()));
  await leasesEnd();
});
afterAll(async () => {
  await broker.stop();
  await sql.end();
  await dropDatabase(postgresUrl, name);
});

async function relay(script = relayScript, args: string[] = [], env: Record<string, string> = {}) {
  const started = await ProcessHandle.start(script, {
    env: { DATABASE_URL: databaseUrl, NATS_URL: broker.url, HAPAX_LOG_LEVEL: 'info', ...env },
    logFile: join(root, `${name}.log`),
    args,
  });
  running.push(started);
  return started;
}

/** What a dead relay leaves is free at once, and not in 15 s. */
async function leasesEnd(): Promise<void> {
  await sql.query(`update hapax.relay_shard set until = now()`);
  await sql.query('delete from hapax.relay');
}

let told = 0;
type Query = { query: pg.Pool['query'] };
async function tell(aggregate: string, payload: object = {}, by: Query = sql): Promise<string> {
  told += 1;
  const id = messageId(operation, `m${told}`);
  const values = [id, operation, aggregate, JSON.stringify(payload)];
  await by.query(`select hapax.tell($1, $2, 'event', 'order', $3, 'order.told', $4)`, values);
  return id;
}

type State = { state: string; tried: boolean; code: string | null; tries: number; position: string | null };
async function stateOf(id: string): Promise<State> {
  const { rows } = await sql.query<State>(
    'select state, code, tries, position, tried_at is not null as tried from hapax.publication where message_id = $1',
    [id],
  );
  return rows[0] ?? expect.unreachable();
}
const became = (id: string, state: string) =>
  expect.poll(async () => (await stateOf(id)).state, { timeout: 30_000 }).toBe(state);
const dueRows = async () =>
  Number((await sql.query(`select count(*) from hapax.publication where state = 'due'`)).rows[0].count);
const allPublished = () => expect.poll(dueRows, { timeout: 30_000 }).toBe(0);

type Streamed = { id: string; subject: string; sequence: string; data: { n?: number } };
/** What the stream holds, in its order. */
async function streamed(): Promise<Streamed[]> {
  return await broker.ask(async (connection) => {
    const { streams } = await jetstreamManager(connection);
    const { state } = await streams.info('HAPAX_EVENTS');
    const numbers = Array.from({ length: state.last_seq - state.first_seq + 1 }, (_, n) => state.first_seq + n);
    const found: Streamed[] = [];
    for (const seq of numbers) {
      const message = await streams.getMessage('HAPAX_EVENTS', { seq });
      if (message) found.push(message.json<Streamed>());
    }
    return found;
  });
}
const streamedOf = async (aggregate: string) =>
  (await streamed()).filter(({ subject }) => subject === `order/${aggregate}`);

it('events of an aggregate leave in their order, each once, also those of many writers', async () => {
  await relay();
  const aggregates = Array.from({ length: 12 }, (_, n) => `ordered-${n}`);
  const writers = Array.from({ length: 5 }, async () => {
    for (let n = 0; n < 5; n += 1) for (const aggregate of aggregates) await tell(aggregate, { n });
  });
  await Promise.all(writers);
  await allPublished();
  const all = await streamed();
  for (const aggregate of aggregates) {
    const numbers = all
      .filter(({ subject }) => subject === `order/${aggregate}`)
      .map(({ sequence }) => Number(sequence));
    expect(numbers).toEqual(Array.from({ length: 25 }, (_, n) => n + 1));
  }
});

it('what leaves is a CloudEvent that says who told it, why, and which one of its aggregate it is', async () => {
  await relay();
  const id = await tell('told', { total: 12 });
  await became(id, 'published');
  expect(await streamedOf('told')).toEqual([
    {
      ...{ specversion: '1.0', id, source: '/hapax/alpha/test', type: 'order.told', subject: 'order/told' },
      ...{ time: expect.stringMatching(/^\d{4}-.*Z$/), datacontenttype: 'application/json', data: { total: 12 } },
      ...{ sequence: '0000000000000000001', hapaxoperation: operation, hapaxcause: 'req_1' },
    },
  ]);
});

it('an event whose step commits late is not skipped, though others were told and published after it', async () => {
  await relay();
  // In the same shard, so that a cursor would have passed over the late one.
  const { rows: same } = await sql.query<{ name: string }>(
    `select 'prompt-' || n as name from generate_series(1, 1000) n
     where (hashtextextended('alpha/test/order/prompt-' || n, 0) & 15) = (hashtextextended('alpha/test/order/late', 0) & 15) limit 1`,
  );
  const prompt = same[0]?.name ?? expect.unreachable();
  const late = await sql.connect();
  await late.query('begin');
  const first = await tell('late', {}, late);
  await became(await tell(prompt), 'published');
  await late.query('commit');
  late.release();
  await became(first, 'published');
  const { rows } = await sql.query(
    `select aggregate_id, shard from hapax.publication where aggregate_id in ('late', $1) order by place`,
    [prompt],
  );
  expect(rows.map(({ aggregate_id }) => aggregate_id)).toEqual(['late', prompt]);
  expect(new Set(rows.map(({ shard }) => shard)).size).toBe(1);
});

it('a relay that is killed before the broker, between its acknowledgement and the record, and after it, doubles and loses nothing', async () => {
  const points = ['after-record', 'before-publish', 'after-publish'];
  const left: string[] = [];
  for (const point of points) {
    const id = await tell(`killed ${point}`);
    await (await relay(faultyScript, ['kill', point])).gone();
    left.push((await stateOf(id)).state);
    await leasesEnd();
  }
  expect(left).toEqual(['published', 'due', 'due']);
  const metrics = async () => await (await fetch(`${next.address}/metrics`)).text();
  const next = await relay();
  await allPublished();
  for (const point of points) expect(await streamedOf(`killed ${point}`)).toHaveLength(1);
  // The broker had the last one, maybe another one beside it, and has known their ids.
  await expect.poll(metrics, { timeout: 30_000 }).toMatch(/hapax_event_tries_total\{became="duplicate"\} [12]\n/);
});

it('a frozen relay that wakes after its shards were taken records nothing, and doubles nothing', async () => {
  const first = await tell('frozen', { n: 1 });
  const frozen = await relay(faultyScript, ['freeze', 'before-publish']);
  // It has taken the event, and freezes before it publishes it.
  await expect.poll(async () => (await stateOf(first)).tried, { timeout: 30_000 }).toBe(true);
  const second = await tell('frozen', { n: 2 });
  await leasesEnd();
  await relay();
  await became(second, 'published');
  const before = [await stateOf(first), await stateOf(second)];
  frozen.signal('SIGCONT');
  // Its try is answered as a duplicate.
  await expect
    .poll(async () => await (await fetch(`${frozen.address}/metrics`)).text(), { timeout: 40_000 })
    .toMatch(/became="duplicate"\} [12]\n/);
  expect([await stateOf(first), await stateOf(second)]).toEqual(before);
  expect((await streamedOf('frozen')).map(({ data }) => data.n)).toEqual([1, 2]);
});

it('two relays share the shards, and one that stops leaves its own to the other at once', async () => {
  const [one] = await Promise.all([relay(), relay()]);
  const shares = async () =>
    (await sql.query('select count(*)::integer as n from hapax.relay_shard group by holder order by 1')).rows.map(
      ({ n }) => n,
    );
  await expect.poll(shares, { timeout: 30_000 }).toEqual([8, 8]);
  await Promise.all(Array.from({ length: 40 }, (_, n) => tell(`shared-${n % 20}`, { n })));
  await one.stop();
  await allPublished();
  await expect.poll(shares, { timeout: 30_000 }).toEqual([16]);
  expect((await streamed()).filter(({ subject }) => subject.startsWith('order/shared-'))).toHaveLength(40);
});

it('events wait while the broker is away, and leave when it is back', async () => {
  const one = await relay();
  await became(await tell('outage'), 'published');
  await broker.kill();
  const waits = await tell('outage');
  await expect
    .poll(async () => await (await fetch(`${one.address}/readyz?verbose`)).text(), { timeout: 30_000 })
    .toContain('[~]broker: Events wait: NATS does not take them.');
  await broker.startAgain();
  await became(waits, 'published');
  expect(await streamedOf('outage')).toHaveLength(2);
});

describe('an event that the broker refuses', () => {
  it('is a dead letter; the later ones of its aggregate wait behind it, and no others; replayed, it and they follow', async () => {
    await relay();
    const poison = await tell('poison', { n: 1, long: 'x'.repeat(tooLong) });
    const behind = await tell('poison', { n: 2 });
    await became(poison, 'failed');
    await became(await tell('sound'), 'published');
    expect(await stateOf(poison)).toMatchObject({ code: 'message-refused', tries: 1 });
    expect(await stateOf(behind)).toMatchObject({ state: 'due', tries: 0 });
    const door = await doorHere(inject('ground'), databaseUrl, [], 'operator');
    const ask = async (method: string, path: string) => {
      const answer = await fetch(`${door.url}${path}`, { method, headers: { authorization: 'Bearer operator' } });
      // oxlint-disable-next-line typescript/no-explicit-any -- bodies of several forms
      return { status: answer.status, json: (await answer.json()) as any };
    };
    try {
      const [letter] = (await ask('GET', '/v1/dead-letters?handler=event')).json.deadLetters;
      expect(letter).toMatchObject({ event: poison, source: 'outbox', object: 'poison', code: 'message-refused' });
      // Nothing has changed: it is refused again.
      expect((await ask('POST', `/v1/dead-letters/${letter.id}/replay`)).status).toBe(202);
      await expect.poll(async () => (await stateOf(poison)).tries, { timeout: 30_000 }).toBe(2);
      await sql.query(`update hapax.outbox set payload = '{"n": 1}' where id = $1`, [poison]);
      expect((await ask('POST', `/v1/dead-letters/${letter.id}/replay`)).json).toEqual({ id: letter.id, state: 'due' });
      await became(behind, 'published');
      expect((await streamedOf('poison')).map(({ id, data }) => [id, data.n])).toEqual([
        [poison, 1],
        [behind, 2],
      ]);
      expect((await ask('POST', `/v1/dead-letters/${letter.id}/replay`)).json.code).toBe('not-a-dead-letter');
      expect((await ask('GET', '/v1/dead-letters')).json.deadLetters).toEqual([]);
    } finally {
      await door.close();
    }
  });
});

describe('a subject on which the broker takes nothing', () => {
  const stores = (subjects: string[]) =>
    broker.ask(async (connection) => {
      const { streams } = await jetstreamManager(connection);
      await streams.update('HAPAX_EVENTS', { subjects });
    });
  /** The broker shows that it takes others. */
  const failsBeside = (id: string) =>
    expect
      .poll(
        async () => {
          await tell('free');
          return (await stateOf(id)).state;
        },
        { timeout: 30_000, interval: 300 },
      )
      .toBe('failed');
  const why = async (id: string) =>
    (await sql.query('select code, detail from hapax.publication where message_id = $1', [id])).rows[0];
  const replay = (id: string) => sql.query(`select hapax.replay_publication('dl_' || substr($1, 5), 'test')`, [id]);

  it('holds up its aggregate alone, is told, and goes on in its order when it is mended and replayed', async () => {
    await relay();
    await became(await tell('free'), 'published');
    await stores(['hapax.alpha.test.order.free']);
    const unstored = await tell('unstored', { n: 1 });
    const behind = await tell('unstored', { n: 2 });
    await failsBeside(unstored);
    expect(await why(unstored)).toEqual({
      code: 'subject-refused',
      detail:
        'The stream HAPAX_EVENTS does not store hapax.alpha.test.order.unstored: add it to its subjects, and replay the event.',
    });
    expect(await stateOf(behind)).toMatchObject({ state: 'due', tries: 0 });
    await stores(['hapax.>']);
    await replay(unstored);
    await became(behind, 'published');
    expect((await streamedOf('unstored')).map(({ data }) => data.n)).toEqual([1, 2]);
  });
});

it('an event that was tried before the broker’s memory of ids begins is looked for before it is published', async () => {
  const id = await tell('old');
  await (await relay(faultyScript, ['kill', 'after-publish'])).gone();
  await leasesEnd();
  await sql.query(`update hapax.publication set tried_at = now() - interval '1 day' where message_id = $1`, [id]);
  // The broker has forgotten the id, and not the event.
  await broker.ask(async (connection) => {
    const { streams } = await jetstreamManager(connection);
    const { config } = await streams.info('HAPAX_EVENTS');
    const body = JSON.stringify((await streamedOf('old'))[0]);
    await streams.delete('HAPAX_EVENTS');
    await streams.add({ name: 'HAPAX_EVENTS', subjects: config.subjects, duplicate_window: config.duplicate_window });
    connection.publish('hapax.alpha.test.order.old', body);
    await connection.flush();
  });
  await relay();
  const next = await tell('old');
  await became(next, 'published');
  expect((await streamedOf('old')).map((event) => event.id)).toEqual([id, next]);
});

it('a relay refuses a stream that forgets ids before the last repetition, and names both times', async () => {
  const window = (seconds: number) =>
    broker.ask(async (connection) => {
      const { streams } = await jetstreamManager(connection);
      await streams.update('HAPAX_EVENTS', { duplicate_window: seconds * 1e9 });
    });
  await window(20);
  await expect(relay()).rejects.toThrow(
    /ended with 1:\nCannot start:\n {2}The stream HAPAX_EVENTS knows an id for 20 s .* after 50 s: /,
  );
  await window(60);
  await relay();
});

it('without a broker events are in the log of the ledger, each shard’s without a gap and each aggregate’s in its order', async () => {
  const one = await relay(relayScript, [], { NATS_URL: '' });
  await Promise.all(Array.from({ length: 60 }, (_, n) => tell(`logged-${n % 6}`, { n })));
  await allPublished();
  const { rows } = await sql.query<{ shard: number; position: string; aggregate_id: string; sequence: string }>(
    'select shard, position, aggregate_id, sequence from hapax.event_log order by shard, position',
  );
  for (const ofShard of Map.groupBy(rows, ({ shard }) => shard).values())
    expect(ofShard.map(({ position }) => Number(position))).toEqual(ofShard.map((_, n) => n + 1));
  for (let n = 0; n < 6; n += 1) {
    const ofAggregate = rows.filter(({ aggregate_id }) => aggregate_id === `logged-${n}`);
    expect(ofAggregate.map(({ sequence }) => Number(sequence))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  }
  expect(await (await fetch(`${one.address}/readyz?verbose`)).text()).toContain(
    '[+]broker: Events leave by PostgreSQL.',
  );
});
