import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { consumeBatch } from '../../activities/consume/consume-batch.ts';
import type { Consumer } from '../../activities/consume/define-consumer.ts';
import { mostTries } from '../../activities/consume/failed-effect.ts';
import { retryHeld } from '../../activities/consume/retry-held.ts';
import { furthestAhead } from '../../activities/consume/turn-of.ts';
import { usage } from '../../activities/consumers/usage.ts';
import { endWaits } from '../../activities/stores/postgres/consumer/end-waits.ts';
import { takeDueMessages } from '../../activities/stores/postgres/consumer/held-messages.ts';
import { forgetConsumed } from '../../activities/stores/postgres/consumer/outlived-claims.ts';
import { Database } from '../../activities/stores/postgres/database.ts';
import { minutes } from '../../workflows/operation/duration.ts';
import { consumedId } from '../../workflows/operation/key.ts';
import { bookTables, ownConsumers } from '../support/consumers/own-consumers.ts';
import { handed, type Message, thingHappened } from '../support/consumers/thing-happened.ts';
import { databaseNamed, dropDatabase } from '../support/database-named.ts';
import { doorHere } from '../support/door-here.ts';
import { seededRandom } from '../support/seeded-random.ts';

const name = `consumer${randomBytes(4).toString('hex')}`;
/** No wait is over before a test says so, however busy the machine is. */
const { any, other, latest, ordered, impatient, skipping } = ownConsumers(undefined, minutes(5));

let sql: pg.Pool;
let database: Database;
let upkeep: Database;
let door: Awaited<ReturnType<typeof doorHere>>;
beforeAll(async () => {
  const ground = inject('ground');
  const url = await databaseNamed(ground.postgresUrl, name, ground.template);
  sql = new pg.Pool({ connectionString: url, max: 4 });
  await sql.query(bookTables);
  database = new Database(url, 'hapax_app', 8);
  upkeep = new Database(url, 'hapax_upkeep', 2);
  door = await doorHere(ground, url, [], 'operator');
});
afterAll(async () => {
  await door.close();
  await Promise.all([database.close(), upkeep.close(), sql.end()]);
  await dropDatabase(inject('ground').postgresUrl, name);
});
beforeEach(async () => {
  await sql.query('truncate tally.book, tally.mended, hapax.consumed, hapax.consumer_position, hapax.upload_usage');
});

const consume = async (consumer: Consumer, ...messages: readonly Message[]) =>
  (await consumeBatch(database, consumer, messages.map(handed), () => 0)).map(({ became }) => became);
/** What was done, in the order in which it was. */
const book = async (consumer: Consumer): Promise<string[]> => {
  const { rows } = await sql.query<{ message: string }>(
    'select message from tally.book where consumer = $1 order by at',
    [consumer.name],
  );
  return rows.map(({ message }) => message);
};
const row = async (message: string) =>
  (await sql.query('select * from hapax.consumed where message = $1', [message])).rows[0];
/** Everything that is kept is tried, until nothing more is due. */
async function retry(consumer: Consumer, now = true): Promise<string[]> {
  const became: string[] = [];
  for (;;) {
    if (now) await sql.query(`update hapax.consumed set next_at = now() where state = 'due'`);
    const due = await takeDueMessages(upkeep, [consumer.name], 10, 60_000);
    if (due.length === 0) return became;
    for (const held of due) became.push((await retryHeld(database, consumer, held, 0)).became);
    if (became.includes('due')) return became;
  }
}
const letters = async () =>
  ((await (await ask('GET', '/v1/dead-letters')).json()) as { deadLetters: Record<string, unknown>[] }).deadLetters;
const ask = async (method: string, path: string) =>
  await fetch(`${door.url}${path}`, { method, headers: { authorization: 'Bearer ann' } });
const replay = async (consumer: Consumer, message: string) => {
  const key = { tenant: 'alpha', environment: 'test', source: '/hapax/alpha/test', message } as const;
  return (await ask('POST', `/v1/dead-letters/${consumedId({ ...key, consumer: consumer.name })}/replay`)).status;
};
const things = (consumer: Consumer, count: number, more: Record<string, unknown> = {}) =>
  Array.from({ length: count }, (_, n) => thingHappened(consumer.name, { id: `m${n + 1}`, sequence: n + 1, ...more }));

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, at: random() }))
    .toSorted((one, two) => one.at - two.at)
    .map(({ item }) => item);
}

describe('a message', () => {
  it('has its effect once, however often it is delivered, also in one batch', async () => {
    const [one, two] = things(any, 2) as [Message, Message];
    expect(await consume(any, one, two, one)).toEqual(expect.arrayContaining(['done', 'done', 'repeated']));
    expect(await consume(any, two, one)).toEqual(['repeated', 'repeated']);
    expect((await book(any)).toSorted()).toEqual(['m1', 'm2']);
  });

  it('has an effect for each of two consumers, and for each tenant, environment and source that uses its id', async () => {
    const message = thingHappened('any', { id: 'm1' });
    await consume(any, message, thingHappened('any', { id: 'm1', tenant: 'beta' }));
    await consume(any, thingHappened('any', { id: 'm1', environment: 'live' }));
    await consume(other, message);
    expect([(await book(any)).length, (await book(other)).length]).toEqual([3, 1]);
    const { rows } = await sql.query(`select distinct tenant from tally.book where consumer = 'any' order by 1`);
    expect(rows).toEqual([{ tenant: 'alpha' }, { tenant: 'beta' }]);
  });

  it('is acknowledged without a row where its consumer does not act on its type', async () => {
    const message = thingHappened('any', { id: 'm1' });
    expect(await consume(any, { ...message, body: message.body.replace('thing.happened', 'other') })).toEqual([
      'ignored',
    ]);
    expect(await row('m1')).toBeUndefined();
  });

  it('is known for its window, and forgotten then', async () => {
    const message = thingHappened('any', { id: 'm1' });
    await consume(any, message);
    expect(await forgetConsumed(upkeep, 10)).toBe(0);
    await sql.query(`update hapax.consumed set forget_after = now() - interval '1 second'`);
    expect(await forgetConsumed(upkeep, 10)).toBe(1);
    const { rows } = await sql.query(`select forget_after - now() > interval '23 hours' as kept from hapax.consumed`);
    expect(rows).toEqual([]);
  });
});

describe('overlapping batches', () => {
  it('wait for each other and do not deadlock: one effect each', async () => {
    const messages = Array.from({ length: 60 }, (_, n) =>
      thingHappened('any', { id: `m${n}`, tenant: n % 3 === 0 ? 'beta' : 'alpha', aggregate: `a${n % 7}` }),
    );
    const inOrder = Array.from({ length: 60 }, (_, n) =>
      thingHappened('ordered', { id: `o${n}`, aggregate: `a${n % 6}`, sequence: Math.floor(n / 6) + 1 }),
    );
    const random = seededRandom(7);
    const before = await deadlocks();
    await Promise.all(
      Array.from({ length: 6 }, async () => {
        await consume(any, ...shuffled(messages, random));
        await consume(ordered, ...shuffled(inOrder, random));
      }),
    );
    expect((await book(any)).toSorted()).toEqual(messages.map(({ id }) => id).toSorted());
    expect((await book(ordered)).toSorted()).toEqual(inOrder.map(({ id }) => id).toSorted());
    expect(await deadlocks()).toBe(before);
  });

  async function deadlocks(): Promise<number> {
    const { rows } = await sql.query<{ count: number }>(
      'select deadlocks::integer as count from pg_stat_database where datname = $1',
      [name],
    );
    return rows[0]?.count ?? 0;
  }
});

describe('a poisonous message', () => {
  it.each(['throws', 'bad-sql', 'swallowed'])('in the middle of a hundred costs only itself: %s', async (poison) => {
    const messages = things(any, 100).map((message, n) =>
      n === 50 ? thingHappened('any', { id: 'poison', sequence: 51, poison }) : message,
    );
    const became = await consume(any, ...messages);
    expect([became.filter((one) => one === 'done').length, became.filter((one) => one === 'failed').length]).toEqual([
      99, 1,
    ]);
    expect(await book(any)).toHaveLength(99);
    expect(await book(any)).not.toContain('poison');
    expect(await row('poison')).toMatchObject({ state: 'due', tries: 1, code: 'effect-failed' });
    expect(await consume(any, ...messages)).not.toContain('done');
  });

  it('whose effect lets its transaction stand still is tried again, and is told what took too long', async () => {
    const standing: Consumer = {
      ...any,
      async effect(client, event) {
        if (event.id === 'poison') {
          const session = await client.query(
            `select pg_backend_pid() as pid, set_config('idle_in_transaction_session_timeout', '100ms', true)`,
          );
          await sessionEnds(session.rows[0].pid);
        }
        await any.effect(client, event);
      },
    };
    const [first, last] = things(any, 2) as [Message, Message];
    const became = await consume(standing, first, thingHappened('any', { id: 'poison' }), last);
    expect(became.toSorted()).toEqual(['done', 'done', 'failed']);
    const why = {
      code: 'effect-failed',
      detail: expect.stringContaining('The effect took too long: 3 s may pass between two statements.'),
    };
    expect(await row('poison')).toMatchObject({ state: 'due', ...why });
    await sql.query('update hapax.consumed set tries = $1 where id is not null', [mostTries - 1]);
    expect(await retry(standing)).toEqual(['dead']);
    expect(await letters()).toMatchObject([{ event: 'poison', ...why }]);
    expect((await book(any)).toSorted()).toEqual(['m1', 'm2']);
  });

  /** Until PostgreSQL has ended it, and the client has had a moment to hear so. */
  async function sessionEnds(pid: number): Promise<void> {
    const open = async () => (await sql.query('select from pg_stat_activity where pid = $1', [pid])).rowCount;
    await expect.poll(open, { timeout: 20_000 }).toBe(0);
    await pause(50);
  }

  it('is tried so often, with growing pauses, and is a dead letter then, which is replayed under its id', async () => {
    await consume(any, thingHappened('any', { id: 'poison', poison: 'throws' }));
    const pauses: number[] = [];
    for (let tries = 1; tries < mostTries; tries += 1) {
      const { rows } = await sql.query(`select extract(epoch from next_at - changed_at) as pause from hapax.consumed`);
      pauses.push(Math.round(Number(rows[0].pause) * 10) / 10);
      expect(await letters()).toEqual([]);
      expect((await retry(any)).length).toBe(1);
    }
    // Without the half of it that is drawn.
    expect(pauses).toEqual([0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
    expect(await retry(any)).toEqual([]);
    expect(await letters()).toMatchObject([
      {
        ...{ state: 'dead', handler: 'any', source: '/hapax/alpha/test', event: 'poison', type: 'thing.happened' },
        ...{ object: 'any/a', operation: 'op_1', code: 'effect-failed', detail: 'Error: A poisonous message' },
        ...{ tries: mostTries, requestId: 'req_1' },
      },
    ]);
    expect([await replay(any, 'poison'), await replay(any, 'poison')]).toEqual([202, 202]);
    expect(await retry(any)).toEqual(['due']);
    await sql.query(`insert into tally.mended values ('poison')`);
    expect(await retry(any)).toEqual(['done']);
    expect(await book(any)).toEqual(['poison']);
    expect([await letters(), await replay(any, 'poison')]).toEqual([[], 409]);
    expect(await row('poison')).toMatchObject({ state: 'done', body: null });
    expect(await consume(any, thingHappened('any', { id: 'poison' }))).toEqual(['repeated']);
  });

  it('is a dead letter at once where its effect refuses it', async () => {
    expect(await consume(any, thingHappened('any', { id: 'm1', poison: 'refuses' }))).toEqual(['dead']);
    expect(await letters()).toMatchObject([{ event: 'm1', code: 'not-found', detail: 'It is of no use', tries: 1 }]);
    expect(await book(any)).toEqual([]);
  });

  it('is shown to nobody of another tenant or environment, who cannot replay it either', async () => {
    await consume(any, thingHappened('any', { id: 'm1', tenant: 'beta', poison: 'refuses' }));
    await consume(any, thingHappened('any', { id: 'm1', environment: 'live', poison: 'refuses' }));
    expect(await letters()).toEqual([]);
    const { rows } = await sql.query<{ id: string }>('select id from hapax.consumed');
    for (const { id } of rows) expect((await ask('POST', `/v1/dead-letters/${id}/replay`)).status).toBe(404);
  });

  it('cannot commit by itself, act for another tenant, or leave a query behind', async () => {
    const odd = (work: Consumer['effect']): Consumer => ({ ...any, effect: work });
    const efforts: Consumer['effect'][] = [
      async (client) => void (await client.query('commit')),
      async (client) => void (await client.query(`select set_config('hapax.tenant', 'beta', true)`)),
      async (client) => void client.query('select pg_sleep(0.05)'),
    ];
    for (const [n, effort] of efforts.entries())
      expect(await consume(odd(effort), thingHappened('any', { id: `m${n}` }))).toEqual(['failed']);
    expect((await sql.query(`select from hapax.consumed where state = 'done'`)).rowCount).toBe(0);
  });
});

describe('a message that nobody can use', () => {
  it('is a dead letter with its reason, and the others of its batch are done', async () => {
    const { subject, body } = thingHappened('ordered', { id: 'far', sequence: furthestAhead + 2 });
    const bad: Message[] = [
      { subject, id: 'x', body: 'no json' },
      { subject, id: 'x', body: body.replace('"id":"far",', '') },
      { subject, id: 'x', body: body.replace('"n":1', '"n":"one"').replace('"far"', '"other-schema"') },
      { subject, id: 'x', body: body.replace(`"${furthestAhead + 2}"`, `"${2 ** 53}"`).replace('"far"', '"2^53"') },
      { subject, id: 'x', body },
      { subject, id: 'x', body: 'x'.repeat(10_000_000) },
    ];
    const became = await consume(ordered, ...bad, thingHappened('ordered', { id: 'm1' }));
    expect(became.toSorted()).toEqual([...Array(5).fill('dead'), 'done', 'too-far']);
    const told = await letters();
    expect(told.map(({ code }) => String(code)).toSorted()).toEqual([
      ...['message-invalid', 'message-too-large', 'message-unreadable', 'message-without-id'],
      ...['sequence-too-far', 'sequence-too-far'],
    ]);
    const { rows } = await sql.query(`select from hapax.consumed where length(body) > 1000000`);
    expect(rows).toEqual([]);
    // A replay reads it anew, and comes to the same end.
    for (const { id } of told) expect((await ask('POST', `/v1/dead-letters/${id}/replay`)).status).toBe(202);
    expect(new Set(await retry(ordered))).toEqual(new Set(['dead']));
    expect(await letters()).toHaveLength(6);
    expect(await book(ordered)).toEqual(['m1']);
  });
});

describe('a consumer that keeps an order', () => {
  it('gives the same in any order of arrival, with doubles: each once, and each aggregate in its order', async () => {
    for (let seed = 1; seed <= 12; seed += 1) {
      await sql.query('truncate tally.book, hapax.consumed, hapax.consumer_position');
      const random = seededRandom(seed);
      const all = ['a', 'b', 'c'].flatMap((aggregate) =>
        Array.from({ length: 12 }, (_, n) =>
          thingHappened('ordered', { id: `${aggregate}${n + 1}`, aggregate, sequence: n + 1 }),
        ),
      );
      const stream = shuffled([...all, ...all.filter(() => random() < 0.3)], random);
      while (stream.length > 0) await consume(ordered, ...stream.splice(0, 1 + Math.floor(random() * 12)));
      await retry(ordered);
      const done = await book(ordered);
      for (const aggregate of ['a', 'b', 'c'])
        expect([seed, done.filter((id) => id.startsWith(aggregate))]).toEqual([
          seed,
          Array.from({ length: 12 }, (_, n) => `${aggregate}${n + 1}`),
        ]);
    }
  });

  it('has a message wait for the one before it, and acknowledges it meanwhile', async () => {
    const [first, second, third] = things(ordered, 3) as [Message, Message, Message];
    expect(await consume(ordered, third, second)).toEqual(['waiting', 'waiting']);
    expect(await book(ordered)).toEqual([]);
    expect(await letters()).toEqual([]);
    expect(await consume(ordered, first)).toEqual(['done']);
    expect(await retry(ordered)).toEqual(['done', 'done']);
    expect(await book(ordered)).toEqual(['m1', 'm2', 'm3']);
    expect(await consume(ordered, third, first)).toEqual(['repeated', 'repeated']);
  });

  it('lets nobody pass a message that fails, until it is mended', async () => {
    const [first, , third] = things(ordered, 3) as [Message, Message, Message];
    const poison = thingHappened('ordered', { id: 'm2', sequence: 2, poison: 'bad-sql' });
    expect((await consume(ordered, first, poison, third)).toSorted()).toEqual(['done', 'failed', 'waiting']);
    for (let tries = 1; tries < mostTries; tries += 1) await retry(ordered);
    expect((await letters()).map(({ event }) => event)).toEqual(['m2']);
    await sql.query(`insert into tally.mended values ('m2')`);
    expect(await replay(ordered, 'm2')).toBe(202);
    expect(await retry(ordered)).toEqual(['done', 'done']);
    expect(await book(ordered)).toEqual(['m1', 'm2', 'm3']);
  });

  it('takes a sequence that it has done for stale, also when its id is forgotten', async () => {
    const messages = things(ordered, 3);
    await consume(ordered, ...messages);
    await sql.query('delete from hapax.consumed');
    expect(await consume(ordered, ...messages)).toEqual(['stale', 'stale', 'stale']);
    expect(await book(ordered)).toHaveLength(3);
  });

  it('that skips drops what is older than the last one done', async () => {
    const [first, second, third] = things(latest, 3) as [Message, Message, Message];
    expect(await consume(latest, second)).toEqual(['done']);
    expect((await consume(latest, third, first)).toSorted()).toEqual(['done', 'stale']);
    expect(await book(latest)).toEqual(['m2', 'm3']);
  });
});

describe('a gap', () => {
  const late = () => sql.query(`update hapax.consumed set next_at = now() where state = 'waiting'`);

  it('is told as a parked letter, and ends by itself when what was missing comes', async () => {
    const [first, second, third] = things(impatient, 3) as [Message, Message, Message];
    await consume(impatient, second, third);
    expect(await endWaits(upkeep, 'impatient', false, 10)).toEqual([]);
    await late();
    const gaps = await endWaits(upkeep, 'impatient', false, 10);
    expect(gaps.map(({ aggregate, done }) => [aggregate, done])).toEqual([...Array(2).fill(['impatient/a', 0])]);
    const told = await letters();
    const inWords = told.map(({ event, state, code }) => `${event as string} ${state as string} ${code as string}`);
    expect(inWords.toSorted()).toEqual(['m2 parked gap', 'm3 parked gap']);
    expect(told.find(({ event }) => event === 'm2')?.detail).toBe(
      'Sequence 1 of impatient/a has not been done in time: this message has sequence 2.',
    );
    await consume(impatient, first);
    await retry(impatient);
    expect(await book(impatient)).toEqual(['m1', 'm2', 'm3']);
    expect(await letters()).toEqual([]);
  });

  it('is given up by a person who replays a letter: what is there goes on in its order, and what was missing is stale', async () => {
    const messages = things(impatient, 6);
    await consume(impatient, ...[1, 2, 4, 5].map((n) => messages[n] as Message));
    await late();
    await endWaits(upkeep, 'impatient', false, 10);
    // Over the gap at 1, with 2 and 3 before 5. Sequence 6 was not asked for, and is the next.
    expect(await replay(impatient, 'm5')).toBe(202);
    await retry(impatient);
    expect(await book(impatient)).toEqual(['m2', 'm3', 'm5', 'm6']);
    expect((await consume(impatient, messages[0] as Message, messages[3] as Message)).toSorted()).toEqual([
      'stale',
      'stale',
    ]);
    expect(await letters()).toEqual([]);
  });

  it('is skipped after its time where the consumer says so, from the first message behind it on', async () => {
    const messages = things(skipping, 5);
    await consume(skipping, ...[1, 2, 4].map((n) => messages[n] as Message));
    // The second one has waited for longer: it does not overtake the first.
    await sql.query(`update hapax.consumed set next_at = now() where message in ('m3', 'm5')`);
    expect((await endWaits(upkeep, 'skipping', true, 10)).map(({ sequence }) => sequence)).toEqual([2]);
    await retry(skipping);
    expect(await book(skipping)).toEqual(['m2', 'm3']);
    expect(await endWaits(upkeep, 'skipping', true, 10)).toHaveLength(1);
    await retry(skipping);
    expect(await book(skipping)).toEqual(['m2', 'm3', 'm5']);
    expect(await consume(skipping, messages[0] as Message)).toEqual(['stale']);
  });

  it('is skipped by one message at a time, however many have waited too long', async () => {
    const [, ...behind] = things(skipping, 12);
    await consume(skipping, ...behind);
    for (let looks = 0; looks < 40 && (await book(skipping)).length < behind.length; looks += 1) {
      await late();
      await endWaits(upkeep, 'skipping', true, 10);
      const due = await takeDueMessages(upkeep, ['skipping'], 10, 60_000);
      // Side by side, as a process does.
      await Promise.all(due.map((held) => retryHeld(database, skipping, held, 0)));
    }
    expect(await book(skipping)).toEqual(behind.map(({ id }) => id));
  });
});

it('a consumer that keeps an order does not wait for types that it does not act on, nor for what was erased', async () => {
  const [first, second, third] = things(ordered, 3) as [Message, Message, Message];
  const other = { ...first, body: first.body.replace('thing.happened', 'other.thing') };
  const { data: _, ...envelope } = JSON.parse(second.body) as { data: unknown };
  const erased = { ...second, body: JSON.stringify({ ...envelope, data: { erased: true } }) };
  expect(await consume(ordered, third)).toEqual(['waiting']);
  expect(await consume(ordered, other, erased)).toEqual(['done', 'done']);
  await retry(ordered);
  expect(await book(ordered)).toEqual(['m3']);
});

it('a process that lost its lease changes nothing: a kept message has its effect once', async () => {
  await consume(any, thingHappened('any', { id: 'm1', poison: 'throws' }));
  await sql.query(`insert into tally.mended values ('m1')`);
  await sql.query(`update hapax.consumed set next_at = now()`);
  const [frozen] = await takeDueMessages(upkeep, ['any'], 1, 0);
  const [holder] = await takeDueMessages(upkeep, ['any'], 1, 60_000);
  if (frozen === undefined || holder === undefined) expect.unreachable();
  expect((await retryHeld(database, any, frozen, 0)).became).toBe('taken-over');
  expect((await retryHeld(database, any, holder, 0)).became).toBe('done');
  expect((await retryHeld(database, any, holder, 0)).became).toBe('taken-over');
  expect(await book(any)).toEqual(['m1']);
});

it('the usage of each subject is the same after a shuffled and doubled replay of the log', async () => {
  const random = seededRandom(2026);
  const log = Array.from({ length: 80 }, (_, n): Message => {
    const tenant = n % 2 === 0 ? 'alpha' : 'beta';
    const data = {
      environment: 'test',
      subject: `s${n % 3}`,
      destination: 'd',
      asset: `a${n}`,
      bytes: n,
      stored: n % 5,
    };
    const body = {
      ...{ specversion: '1.0', id: `msg_${n}`, source: `/hapax/${tenant}/test`, type: 'upload.used' },
      ...{ subject: `upload/op_${n}`, time: '2026-11-28T12:00:00Z', sequence: '1', data },
    };
    return { id: `msg_${n}`, subject: `hapax.${tenant}.test.upload.op_${n}`, body: JSON.stringify(body) };
  });
  const projection = async () =>
    (await sql.query('select * from hapax.upload_usage order by tenant, environment, subject')).rows;
  await consume(usage, ...log);
  const once = await projection();
  expect(once.map(({ uploads }) => Number(uploads)).reduce((sum, n) => sum + n, 0)).toBe(80);
  for (let round = 0; round < 3; round += 1) {
    await sql.query('truncate hapax.upload_usage, hapax.consumed');
    const stream = shuffled([...log, ...log], random);
    while (stream.length > 0) await consume(usage, ...stream.splice(0, 1 + Math.floor(random() * 40)));
    expect(await projection()).toEqual(once);
  }
});
