import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { World } from '../support/world.ts';
import { anotherBuild } from './another-build.ts';
import { effectsOf, paidOnce } from './effects.ts';
import { holdConfirm, release, untilHeld } from './held.ts';

let world: World;
beforeAll(async () => {
  world = await World.create(inject('ground'), { doors: 2, upkeep: false });
});
afterAll(() => world.close());

const agentOf = (door: number) => ({ 'user-agent': `asks door ${door}`, prefer: 'wait=30' });
/** How many requests of ours each door records: all but those for an answer that has expired. */
const recorded = new Map<number, number>();
const ask = async (key: string, door: number, changes = {}) => {
  const answer = await world.checkout(key, {}, { door, headers: agentOf(door), body: world.cart(key, changes) });
  if (answer.json.code !== 'key-expired') recorded.set(door, (recorded.get(door) ?? 0) + 1);
  return answer;
};

async function metrics(door: number): Promise<string> {
  return (await world.ask('GET', '/metrics', { door, token: null })).text;
}

/** How many requests for checkouts a door has decided so, by which layer knew. */
async function decided(door: number, decision: string): Promise<Record<string, number>> {
  const line = new RegExp(
    `^hapax_requests_total\\{flow="checkout",decision="${decision}",layer="(\\w+)"\\} (\\d+)`,
    'gm',
  );
  return Object.fromEntries(
    [...(await metrics(door)).matchAll(line)].map(([, layer, count]) => [layer, Number(count)]),
  );
}

/** How often a door went to PostgreSQL for its answers meanwhile: the batches that record requests are no part of it. */
async function readsOf(door: number, work: () => Promise<unknown>): Promise<number> {
  const before = await reads(door);
  await work();
  return (await reads(door)) - before;
}

/** Read once every request of the door is recorded: no batch is then between its sending and its commit. */
async function reads(door: number): Promise<number> {
  return await world.until('the door has recorded its requests', async () => {
    const [row] = await world.sql<{ batches: number; requests: number }>(
      `select count(distinct xmin::text)::int as batches, coalesce(sum(times), 0)::int as requests
       from hapax.arrival where user_agent = $1`,
      agentOf(door)['user-agent'],
    );
    if (row?.requests !== (recorded.get(door) ?? 0)) return undefined;
    return Number(/^hapax_postgres_flushes (\d+)/m.exec(await metrics(door))?.[1]) - row.batches;
  });
}

describe('a settled answer', () => {
  it('is repeated from the memory of the process that gave it, and by another one from the ledger', async () => {
    const first = await ask('remembered', 0);
    const again = async (door: number) => {
      const answer = await ask('remembered', door);
      expect([answer.status, answer.text]).toEqual([201, first.text]);
      expect(answer.headers.get('idempotency-status')).toBe('replayed');
    };
    const repeat = async () => {
      for (let n = 0; n < 20; n += 1) await again(0);
    };
    // A process that stood still for a second asks the ledger, since it cannot know what was erased meanwhile.
    await world.until('memory serves all of them', async () => {
      const before = await decided(0, 'replayed');
      const read = await readsOf(0, repeat);
      const after = await decided(0, 'replayed');
      expect(read).toBe((after.ledger ?? 0) - (before.ledger ?? 0));
      return (after.memory ?? 0) - (before.memory ?? 0) === 20;
    });
    await world.until('memory refuses another request', async () => {
      const other = await ask('remembered', 0, { cartId: 'another' });
      expect([other.status, other.json.code]).toEqual([422, 'key-reused']);
      return (await decided(0, 'refused')).memory === 1;
    });
    expect(await readsOf(1, () => again(1))).toBe(1);
    expect(await decided(0, 'created')).toEqual({ ledger: 1 });
    expect(await decided(1, 'replayed')).toEqual({ ledger: 1 });
    expect(await effectsOf(world, 'remembered')).toEqual(paidOnce);
  });

  it('whose copy in memory has expired is read once, however many ask for it at once', async () => {
    const first = await ask('cold', 0);
    const keep = (interval: string) =>
      world.sql<{ end: Date }>(
        `update hapax.operation set answer_expires_at = now() + $1::interval where key = 'cold'
         returning answer_expires_at as "end"`,
        interval,
      );
    // A copy lives no longer than its answer: this one for a second.
    const end = await world.until('a copy is there that ends soon', async () => {
      const [row] = await keep('1 second');
      const before = await decided(1, 'replayed');
      const kept = await ask('cold', 1);
      await keep('30 days');
      const copied = await ask('cold', 1);
      const { ledger = 0, memory = 0 } = await decided(1, 'replayed');
      const isCopied = ledger === (before.ledger ?? 0) + 1 && memory === (before.memory ?? 0) + 1;
      return isCopied && kept.text === first.text && copied.text === first.text && row?.end;
    });
    // Memory notices an end up to 50 ms late.
    await pause(Math.max(0, end.getTime() + 100 - Date.now()));
    const crowd = 200;
    const locking = new pg.Client({ connectionString: world.databaseUrl });
    onTestFinished(() => locking.end());
    await locking.connect();
    const asked = await readsOf(1, async () => {
      // Nobody is answered before all have come, and with them those questions that came behind them.
      await locking.query('begin; lock table hapax.operation in access exclusive mode');
      const answers = Array.from({ length: crowd }, () => ask('cold', 1));
      for (let n = 0; n < 3; n += 1) expect((await world.ask('GET', '/healthz', { door: 1 })).status).toBe(200);
      await locking.query('commit');
      expect(new Set((await Promise.all(answers)).map(({ text }) => text))).toEqual(new Set([first.text]));
    });
    expect(asked).toBe(1);
    expect(await effectsOf(world, 'cold')).toEqual(paidOnce);
  });

  it('of another version of its flow is never repeated from memory', async () => {
    const directory = await anotherBuild(join(world.directory, 'next'), {
      'workflows/checkout.flow.ts': [['version: 1,', 'version: 2,']],
    });
    const next = world.doors.push(await world.start(join(directory, 'workers/http.ts'))) - 1;
    const texts: string[] = [];
    for (const door of [0, next, next, next]) texts.push((await ask('version-1', door)).text);
    expect(await decided(next, 'replayed')).toEqual({ ledger: 3 });
    texts.push((await ask('version-2', next)).text);
    await world.until('memory serves the answer of its own version', async () => {
      texts.push((await ask('version-2', next)).text);
      return (await decided(next, 'replayed')).memory !== undefined;
    });
    expect(new Set(texts).size).toBe(2);
    for (const key of ['version-1', 'version-2']) expect(await effectsOf(world, key)).toEqual(paidOnce);
  });
});

describe('a new key', () => {
  it('that many ask for at once is claimed once by each process', async () => {
    const crowd = 100;
    const answers = await Promise.all(Array.from({ length: crowd }, (_, n) => ask('crowded', n % 2)));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    type Arrived = { layer: string; n: number };
    const arrived = await world.until('every arrival is recorded', async () => {
      const rows = await world.sql<Arrived>(
        'select layer, sum(times)::int as n from hapax.arrival where operation_id = $1 group by layer',
        answers[0]?.json.id,
      );
      return rows.reduce((sum, { n }) => sum + n, 0) === crowd && rows;
    });
    // Each process went to the ledger once; all others were told by their own process.
    expect(arrived.find(({ layer }) => layer === 'ledger')?.n).toBe(2);
    expect(await effectsOf(world, 'crowded')).toEqual(paidOnce);
  });
});

describe('another request under a key that is taken', () => {
  const otherwise = { items: [{ sku: 'mug-blue', quantity: 7 }] };
  const refused = (n: number) => Array.from({ length: n }, () => [422, 'key-reused']);

  /** One after the other, and then all at once: they are equal among themselves. */
  async function usurp(key: string, door: number): Promise<void> {
    const codes: unknown[] = [];
    for (let n = 0; n < 3; n += 1) codes.push(await ask(key, door, otherwise));
    codes.push(...(await Promise.all(Array.from({ length: 6 }, () => ask(key, door, otherwise)))));
    expect((codes as Awaited<ReturnType<typeof ask>>[]).map(({ status, json }) => [status, json.code])).toEqual(
      refused(9),
    );
  }

  it('gets nothing of it, at no door, however often it asks; whoever has the key gets the answer', async () => {
    await holdConfirm(world, 'usurped');
    const first = ask('usurped', 0);
    await untilHeld(world, 'usurped');
    for (const door of [0, 1]) await usurp('usurped', door);
    const joined = ask('usurped', 1);
    await usurp('usurped', 1);
    await release(world);
    const { status, text } = await first;
    expect([status, (await joined).text]).toEqual([201, text]);
    for (const door of [0, 1]) {
      await usurp('usurped', door);
      expect((await ask('usurped', door)).text).toBe(text);
    }
    expect(await effectsOf(world, 'usurped')).toEqual(paidOnce);
  });

  it('gets nothing either of what is told again by a door that has just begun', async () => {
    const paid = await ask('usurped-late', 0);
    await usurp('usurped-late', 1);
    expect((await ask('usurped-late', 1)).text).toBe(paid.text);
    await usurp('usurped-late', 1);
    expect(await effectsOf(world, 'usurped-late')).toEqual(paidOnce);
  });

  it('gets no transfer of an upload that another one has announced', async () => {
    const announce = (size: number) =>
      world.ask('POST', '/v1/uploads', {
        key: 'usurped-upload',
        body: { name: 'a', size, type: 'text/plain', destination: 'd' },
      });
    const { json } = await announce(3);
    for (let n = 0; n < 3; n += 1) {
      const other = await announce(4);
      expect([other.status, other.json.code, other.json.transfer]).toEqual([422, 'key-reused', undefined]);
    }
    expect((await announce(3)).json.id).toBe(json.id);
  });
});
