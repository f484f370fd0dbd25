import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
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

const ask = (key: string) => world.checkout(key, {}, { door, body: world.cart(key) });

async function timed<T>(work: Promise<T>): Promise<{ value: T; took: number }> {
  const begun = performance.now();
  return { value: await work, took: performance.now() - begun };
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
    for (let n = 0; n < 2; n += 1) {
      const { value: answers, took } = await timed(askAll('refused'));
      expect(took).toBeLessThan(2_000);
      for (const answer of answers) isUnavailable(answer);
    }
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
    const { value: answers, took } = await timed(askAll('swallowed'));
    // As long as a statement may take and a second; connections that are new give up after one.
    expect(took).toBeLessThan(7_500);
    for (const answer of answers) isUnavailable(answer);
    const again = await timed(askAll('swallowed'));
    expect(again.took).toBeLessThan(2_000);
    for (const answer of again.value) isUnavailable(answer);
    line.heal();
    await healed();
    expect((await ask('swallowed')).status).toBe(201);
    expect(await effectsOf(world, 'swallowed')).toEqual(paidOnce);
  });

  it('breaks off in the middle of its statements, the door tells it to each caller and lives on', async () => {
    const before = await allEffects(world);
    for (let n = 0; n < 3; n += 1) {
      line.swallow();
      const { value: answers, took } = await timed(
        Promise.all([askAll(`broken-${n}`), pause(300).then(() => line.refuse())]).then(([all]) => all),
      );
      expect(took).toBeLessThan(2_000);
      for (const answer of answers) isUnavailable(answer);
      line.heal();
      await healed();
    }
    expect(await allEffects(world)).toEqual(before);
    expect((await ask('broken-0')).status).toBe(201);
    expect(await effectsOf(world, 'broken-0')).toEqual(paidOnce);
  });

  it('answers but takes no writes, what would write is refused at once', async () => {
    const before = await allEffects(world);
    const sessions = `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'hapax hapax_app'`;
    await world.sql(`alter database "${world.name}" set default_transaction_read_only = on`);
    await world.sql(sessions);
    const { value: answer, took } = await timed(ask('read-only'));
    // Our own sessions are older than the setting, and so may still write.
    await world.sql(`alter database "${world.name}" reset default_transaction_read_only`);
    await world.sql(sessions);
    expect(took).toBeLessThan(2_000);
    isUnavailable(answer);
    expect(await allEffects(world)).toEqual(before);
    const paid = await world.until('the ledger takes writes again', async () => {
      const again = await ask('read-only');
      return again.status === 201 && again;
    });
    expect((await ask('read-only')).text).toBe(paid.text);
    expect(await effectsOf(world, 'read-only')).toEqual(paidOnce);
  });
});

describe('a ledger that goes while somebody waits', () => {
  it('costs no answer: whoever asks again with the same key gets the end', async () => {
    await holdConfirm(world, 'waits');
    const waiting = ask('waits');
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
