import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { RedisServer } from '../support/redis-server.ts';
import { World } from '../support/world.ts';
import { effectsOf, paidOnce } from './effects.ts';

let redis: RedisServer;
let world: World;
/** Remembers answers itself, and leaves copies; the other one has no memory, so that each duplicate asks Redis. */
const [remembering, forgetful] = [0, 1];

beforeAll(async () => {
  const ground = inject('ground');
  redis = await RedisServer.start(ground.root);
  world = await World.create(ground, { env: { REDIS_URL: redis.url }, upkeep: false });
  world.doors.push(await world.start('workers/http.ts', { HAPAX_ANSWER_CACHE: '0' }));
});
afterAll(async () => {
  await world.close();
  await redis.stop();
});

const ask = (key: string, door: number, changes = {}) =>
  world.checkout(key, {}, { door, body: world.cart(key, changes) });

async function counted(door: number, line: RegExp): Promise<Record<string, number>> {
  const { text } = await world.ask('GET', '/metrics', { door, token: null });
  return Object.fromEntries([...text.matchAll(line)].map(([, label, count]) => [label, Number(count)]));
}
const replays = (door: number) =>
  counted(door, /^hapax_requests_total\{flow="checkout",decision="replayed",layer="(\w+)"\} (\d+)/gm);
const looks = (door: number) => counted(door, /^hapax_answer_copies_total\{became="(\w+)"\} (\d+)/gm);

/** What one layer or look counted more. */
async function more<T>(
  count: () => Promise<Record<string, number>>,
  work: () => Promise<T>,
): Promise<Record<string, number>> {
  const before = await count();
  await work();
  const after = await count();
  return Object.fromEntries(
    Object.entries(after)
      .map(([label, n]) => [label, n - (before[label] ?? 0)] as const)
      .filter(([, n]) => n > 0),
  );
}

/** From the fastest to the one that decides. */
const layers = ['memory', 'redis', 'ledger'] as const;

/**
 * Asks until a layer has answered. On a busy machine one may be too slow, or not trusted for a moment: then a slower one answers,
 * and never a faster one, which cannot know.
 */
async function answeredBy(layer: (typeof layers)[number], door: number, again: () => Promise<unknown>): Promise<void> {
  const known: readonly string[] = layers.slice(layers.indexOf(layer));
  await world.until(`the answer is of ${layer}`, async () => {
    const seen = await more(() => replays(door), again);
    expect(Object.keys(seen).filter((one) => !known.includes(one))).toEqual([]);
    return seen[layer] === 1;
  });
}

const copies = () => redis.ask((client) => client.keys('hapax:answer:*'));

/** Pays at the door that remembers, and waits for its copy. @returns the answer and the name of the copy */
async function paid(key: string) {
  const before = await copies();
  const answer = await ask(key, remembering);
  expect(answer.status).toBe(201);
  const name = await world.until('the answer is copied', async () => {
    const made = (await copies()).find((one) => !before.includes(one));
    // A copy that Redis did not take in time is made when the ledger is asked the next time.
    if (made === undefined) await ask(key, forgetful);
    return made;
  });
  return { ...answer, name };
}

/** Waits until the door that remembers speaks with Redis again. It is asked for what only the other door has paid. */
async function remembersWithRedis(): Promise<void> {
  let tries = 0;
  await world.until('the door that remembers finds copies of the other door', async () => {
    tries += 1;
    await ask(`back-${tries}`, forgetful);
    const seen = await more(
      () => replays(remembering),
      () => ask(`back-${tries}`, remembering),
    );
    return seen.redis === 1;
  });
}

describe('a settled duplicate', () => {
  it('is answered by the fastest layer that knows: memory, Redis, PostgreSQL', async () => {
    const first = await paid('fastest');
    const again = async (door: number) => {
      const answer = await ask('fastest', door);
      expect([answer.status, answer.text]).toEqual([201, first.text]);
      for (const header of ['content-type', 'location', 'idempotency-expires', 'hapax-workflow-id'])
        expect([header, answer.headers.get(header)]).toEqual([header, first.headers.get(header)]);
      expect(answer.headers.get('original-request')).toBe(first.headers.get('request-id'));
    };
    await answeredBy('memory', remembering, () => again(remembering));
    await answeredBy('redis', forgetful, () => again(forgetful));
    await redis.ask((client) => client.flushAll());
    await answeredBy('ledger', forgetful, () => again(forgetful));
    // What PostgreSQL has answered is copied anew.
    await answeredBy('redis', forgetful, () => again(forgetful));
    expect(await effectsOf(world, 'fastest')).toEqual(paidOnce);
  });

  it('with another intent is refused by a copy as it is by the row', async () => {
    await paid('misused');
    const other = await ask('misused', forgetful, { items: [{ sku: 'mug-blue', quantity: 7 }] });
    expect([other.status, other.json.code]).toEqual([422, 'key-reused']);
    expect(await effectsOf(world, 'misused')).toEqual(paidOnce);
  });

  it('is recorded with the layer that answered it', async () => {
    const { json } = await paid('recorded');
    await answeredBy('redis', forgetful, () => ask('recorded', forgetful));
    await world.until('the arrival is recorded', async () => {
      const rows = await world.sql(
        'select 1 from hapax.arrival where operation_id = $1 and layer = $2',
        json.id,
        'redis',
      );
      return rows.length > 0;
    });
  });
});

describe('costs nothing but speed: a Redis', () => {
  it('that lies, with garbage or with the answer of another operation', async () => {
    const [victim, other] = [await paid('lied-to'), await paid('another')];
    const stolen = (await redis.ask((client) => client.get(other.name))) ?? '';
    for (const lie of ['', 'garbage', '{"status":200}', stolen]) {
      const again = async () => expect((await ask('lied-to', forgetful)).text).toBe(victim.text);
      await world.until('the lie is ignored', async () => {
        await redis.ask((client) => client.set(victim.name, lie));
        const seen = await more(() => looks(forgetful), again);
        // On a busy machine Redis may not be heard in time.
        return seen.ignored === 1;
      });
      // The row's answer replaces the lie.
      await world.until('it is mended', async () => {
        await again();
        return (await redis.ask((client) => client.get(victim.name))) !== lie;
      });
    }
    expect(await effectsOf(world, 'lied-to')).toEqual(paidOnce);
  });

  it('that hangs, and then goes on', async () => {
    const first = await paid('frozen');
    redis.freeze();
    try {
      const seen = await more(
        () => looks(forgetful),
        async () => {
          for (let n = 0; n < 20; n += 1) expect((await ask('frozen', forgetful)).text).toBe(first.text);
        },
      );
      expect(Object.keys(seen)).toEqual(['away']);
      // New operations begin as ever.
      expect((await ask('new-meanwhile', forgetful)).status).toBe(201);
    } finally {
      redis.thaw();
    }
    await world.until('Redis answers again', async () => {
      const seen = await more(
        () => replays(forgetful),
        () => ask('frozen', forgetful),
      );
      return seen.redis === 1;
    });
    await remembersWithRedis();
    for (const key of ['frozen', 'new-meanwhile']) expect(await effectsOf(world, key)).toEqual(paidOnce);
  });

  it('that is killed, and comes back empty', async () => {
    const first = await paid('killed');
    await redis.kill();
    const crowd = await Promise.all(Array.from({ length: 100 }, (_, n) => ask('killed', n % 2)));
    expect(new Set(crowd.map(({ text }) => text))).toEqual(new Set([first.text]));
    expect((await ask('new-without-redis', remembering)).status).toBe(201);
    expect((await world.ask('GET', '/readyz', { token: null, door: forgetful })).status).toBe(200);
    await redis.startAgain();
    await world.until('copies are made and found again', async () => {
      const seen = await more(
        () => replays(forgetful),
        () => ask('killed', forgetful),
      );
      return seen.redis === 1;
    });
    await remembersWithRedis();
    for (const key of ['killed', 'new-without-redis']) expect(await effectsOf(world, key)).toEqual(paidOnce);
  });
});

describe('an answer that changes before its time', () => {
  const change = (id: string, to: string) =>
    world.sql(`update hapax.operation set answer_body = convert_to($2, 'utf8') where id = $1`, id, to);

  it('is given by no copy a second later, neither from memory nor from Redis', async () => {
    const { json, text } = await paid('corrected');
    for (const door of [remembering, forgetful]) expect((await ask('corrected', door)).text).toBe(text);
    await change(json.id, '{"corrected":1}');
    await pause(1_000);
    for (const door of [remembering, forgetful]) expect((await ask('corrected', door)).text).toBe('{"corrected":1}');
    // The new answer is copied in turn.
    await world.until('the new answer is copied', async () => {
      const seen = await more(
        () => replays(forgetful),
        () => ask('corrected', forgetful),
      );
      return seen.redis === 1;
    });
    expect((await ask('corrected', remembering)).text).toBe('{"corrected":1}');
  });

  it('because it is erased is given by no copy either: its key is refused', async () => {
    const { json } = await paid('erased');
    await world.sql('update hapax.operation set answer_body = null where id = $1', json.id);
    await pause(1_000);
    for (const door of [remembering, forgetful]) {
      const answer = await ask('erased', door);
      expect([answer.status, answer.json.code]).toEqual([409, 'key-expired']);
    }
    expect(await effectsOf(world, 'erased')).toEqual(paidOnce);
  });

  it('raises the epoch once for a transaction, and one that ends in its time does not', async () => {
    const epoch = async () => (await world.sql<{ epoch: string }>('select epoch from hapax.answer_copies'))[0]?.epoch;
    const before = Number(await epoch());
    await world.sql(`update hapax.operation set answer_headers = '{}' where answer_body is not null`);
    expect(Number(await epoch())).toBe(before + 1);
    await world.sql(
      `update hapax.operation set answer_expires_at = now() + interval '60 days' where answer_body is not null`,
    );
    expect(Number(await epoch())).toBe(before + 1);
  });

  it('does not come back to life after a failover that has lost an epoch', async () => {
    const { json, text, name } = await paid('failed over');
    await change(json.id, '{"corrected":1}');
    await pause(1_000);
    // The new primary knows nothing of the change, nor of the epoch that it began.
    await world.sql(`update hapax.operation set answer_body = convert_to($2, 'utf8') where id = $1`, json.id, text);
    const [{ epoch } = { epoch: '' }] = await world.sql<{ epoch: string }>(
      'update hapax.answer_copies set epoch = epoch - 2 returning epoch',
    );
    await world.until('a process has noticed, and skipped the epochs that were lost', async () => {
      const [now] = await world.sql<{ epoch: string }>('select epoch from hapax.answer_copies');
      return Number(now?.epoch) > Number(epoch) + 1_000;
    });
    // The same number as then would be given out by the next change but one.
    for (const body of ['{"corrected":2}', '{"corrected":3}']) {
      await change(json.id, body);
      await pause(1_000);
      for (const door of [remembering, forgetful]) expect((await ask('failed over', door)).text).toBe(body);
    }
    expect(await copies()).toContain(name);
  });

  // Last: it erases what the tests before it have left.
  it('because its subject was erased is given by no copy either, at any process', async () => {
    const { text } = await paid('of a subject');
    for (const door of [remembering, forgetful]) expect((await ask('of a subject', door)).text).toBe(text);
    const erased = await world.ask('POST', '/v1/subjects/default/erase', { key: 'erase', token: 'operator-alpha' });
    expect(erased.status).toBe(201);
    await pause(1_000);
    for (const door of [remembering, forgetful]) {
      const answer = await ask('of a subject', door);
      expect([answer.status, answer.json.code]).toEqual([410, 'erased']);
    }
    expect(await effectsOf(world, 'of a subject')).toEqual(paidOnce);
  });
});
