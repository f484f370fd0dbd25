import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { Database } from '../../activities/stores/postgres/database.ts';
import { type Answered, World } from '../support/world.ts';
import { allEffects, effectsOf, paidOnce } from './effects.ts';
import { FaultyLine } from '../support/faulty-line.ts';
import { holdConfirm, release, untilHeld } from './held.ts';

let world: World;
let line: FaultyLine;
let door: number;
beforeAll(async () => {
  world = await World.create(inject('ground'), { env: { HAPAX_ANSWER_CACHE: '0' } });
  line = await FaultyLine.to(world.databaseUrl);
  door = world.doors.push(await world.start('workers/http.ts', { DATABASE_URL: line.url })) - 1;
});
afterAll(async () => {
  await line.close();
  await world.close();
});

const ask = (key: string, headers = {}) => world.checkout(key, {}, { door, headers, body: world.cart(key) });

type Round = {
  readonly before?: () => Promise<void>;
  readonly ask: () => Promise<readonly Answered[]>;
  readonly after?: () => Promise<void>;
};

/**
 * All is refused, and in less than two seconds. Others share the processor and may hold up a round: then there is another. What
 * waits for the ledger, or for its own time limit, is late in every round.
 */
async function refusedSoon({ before, ask: round, after }: Round): Promise<void> {
  await world.until('all is refused in less than two seconds', async () => {
    await before?.();
    const begun = performance.now();
    const answers = await round();
    const took = performance.now() - begun;
    await after?.();
    for (const answer of answers) isUnavailable(answer);
    return took < 2_000;
  });
}

function isUnavailable(answer: Answered): void {
  expect(answer.status).toBe(503);
  expect(answer.json).toMatchObject({
    code: 'ledger-unavailable',
    retryable: true,
    sameKeySafe: true,
    action: 'wait',
    retryAfter: 2,
  });
  expect(answer.headers.get('retry-after')).toBe('2');
  expect(answer.text).not.toMatch(/postgres|ECONN|127\.0\.0\.1|terminat/i);
}

/** Asks everything that needs the ledger, at the same time. */
async function askAll(key: string): Promise<Answered[]> {
  return await Promise.all([
    ask(key),
    ask('known'),
    world.ask('POST', '/v1/keys', { door }),
    world.ask('GET', '/v1/operations', { door }),
    world.ask('GET', `/v1/operations/op_${'0'.repeat(26)}`, { door }),
    world.ask('POST', `/v1/operations/op_${'0'.repeat(26)}/cancel`, { door }),
  ]);
}

async function healed(): Promise<void> {
  await world.until(
    'the door is ready again',
    async () => (await world.ask('GET', '/readyz', { door })).status === 200,
  );
}

describe('while the ledger', () => {
  it('refuses connections, everything is refused at once with 503, and runs once it is back', async () => {
    const known = await ask('known');
    expect(known.status).toBe(201);
    const before = await allEffects(world);
    line.refuse();
    for (let n = 0; n < 2; n += 1) await refusedSoon({ ask: () => askAll('refused') });
    expect((await world.ask('GET', '/healthz', { door })).status).toBe(200);
    expect((await world.ask('GET', '/readyz', { door })).status).toBe(503);
    expect(await allEffects(world)).toEqual(before);
    line.heal();
    await healed();
    expect((await ask('refused')).status).toBe(201);
    expect((await ask('known')).text).toBe(known.text);
    expect(await effectsOf(world, 'refused')).toEqual(paidOnce);
    expect(await effectsOf(world, 'known')).toEqual(paidOnce);
  });

  it('swallows everything, nobody is left hanging, and what was asked runs once', async () => {
    await ask('known');
    line.swallow();
    // Open connections are silent for as long as a statement may take and a second.
    const begun = performance.now();
    for (const answer of await askAll('swallowed')) isUnavailable(answer);
    expect(performance.now() - begun).toBeLessThan(30_000);
    // Connections that are new give up after a second.
    await refusedSoon({ ask: () => askAll('swallowed') });
    line.heal();
    await healed();
    expect((await ask('swallowed')).status).toBe(201);
    expect(await effectsOf(world, 'swallowed')).toEqual(paidOnce);
  });

  it('breaks off in the middle of its statements, the door tells it to each caller and lives on', async () => {
    const before = await allEffects(world);
    for (let times = 0; times < 3; times += 1)
      await refusedSoon({
        async ask() {
          line.swallow();
          const [answers] = await Promise.all([askAll('broken'), pause(300).then(() => line.refuse())]);
          return answers;
        },
        async after() {
          line.heal();
          await healed();
        },
      });
    expect(await allEffects(world)).toEqual(before);
    expect((await ask('broken')).status).toBe(201);
    expect(await effectsOf(world, 'broken')).toEqual(paidOnce);
  });

  it('answers but takes no writes, what would write is refused at once', async () => {
    const before = await allEffects(world);
    const sessions = `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'hapax hapax_app'`;
    await refusedSoon({
      async before() {
        await world.sql(`alter database "${world.name}" set default_transaction_read_only = on`);
        await world.sql(sessions);
      },
      ask: async () => [await ask('read-only')],
      // Our own sessions are older than the setting, and so may still write.
      async after() {
        await world.sql(`alter database "${world.name}" reset default_transaction_read_only`);
        await world.sql(sessions);
      },
    });
    expect(await allEffects(world)).toEqual(before);
    const paid = await world.until('the ledger takes writes again', async () => {
      const again = await ask('read-only');
      return again.status === 201 && again;
    });
    expect((await ask('read-only')).text).toBe(paid.text);
    expect(await effectsOf(world, 'read-only')).toEqual(paidOnce);
  });
});

it('a process that stood still itself does not take the ledger for away', async () => {
  const database = new Database(world.databaseUrl, 'hapax_app', 1);
  onTestFinished(() => database.close());
  const asked = database.alone({ name: '', text: 'select 1 as one', values: [] });
  // Longer than a connection may take. Nothing of this process runs meanwhile, and PostgreSQL does.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500);
  expect(await asked).toEqual([{ one: 1 }]);
});

describe('a ledger that goes while somebody waits', () => {
  it('costs no answer: whoever asks again with the same key gets the end', async () => {
    await holdConfirm(world, 'waits');
    const waiting = ask('waits', { prefer: 'wait=30' });
    await untilHeld(world, 'waits');
    line.refuse();
    await release(world);
    line.heal();
    await healed();
    const [first, again] = await Promise.all([waiting, ask('waits')]);
    // News that were lost with the connection are made up for by a look.
    expect(first.status).toBe(201);
    expect(again.text).toBe(first.text);
    expect(await effectsOf(world, 'waits')).toEqual(paidOnce);
  });
});
