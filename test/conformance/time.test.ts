import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Database } from '../../activities/stores/postgres/database.ts';
import { forget } from '../../activities/stores/postgres/upkeep/forget.ts';
import { days, minutes } from '../../workflows/operation/duration.ts';
import { World } from '../support/world.ts';
import { effectsOf, paidOnce } from './effects.ts';

/** Settings for a process whose own clock is wrong by so many milliseconds; PostgreSQL's is right. */
function clockOff(by: number): Record<string, string> {
  const code = `const Right = Date;
    globalThis.Date = class extends Right {
      constructor(...args) { if (args.length === 0) super(Right.now() + ${by}); else super(...args); }
      static now() { return Right.now() + ${by}; }
    };`;
  return { NODE_OPTIONS: `--import data:text/javascript;base64,${Buffer.from(code).toString('base64')}` };
}

let world: World;
let upkeep: Database;
beforeAll(async () => {
  world = await World.create(inject('ground'), { workers: 0, env: { HAPAX_ANSWER_CACHE: '0' } });
  await world.start('workers/operations.ts', clockOff(minutes(10)));
  upkeep = new Database(world.databaseUrl, 'hapax_upkeep', 2);
});
afterAll(async () => {
  await upkeep.close();
  await world.close();
});

async function expire(key: string, column: 'answer_expires_at' | 'tombstone_until', by = '-1 second'): Promise<void> {
  await world.sql(
    `update hapax.operation set answer_expires_at = now() + $2::interval,
       tombstone_until = case when $3 = 'tombstone_until' then now() + $2::interval else tombstone_until end
     where key = $1`,
    key,
    by,
    column,
  );
}

const rows = async (key: string) => (await world.sql('select id from hapax.operation where key = $1', key)).length;

/** Forgets until something is gone: the world's own upkeep may have it in its hands. */
async function forgotten(isGone: () => Promise<boolean>): Promise<void> {
  await world.until('it is forgotten', async () => {
    await forget(upkeep, 100);
    return await isGone();
  });
}

describe('an answer that has expired', () => {
  it.each(['kept until the sweep', 'swept'])(
    'is refused with its operation’s address, and never run again: %s',
    async (what) => {
      const key = `expired ${what}`;
      const first = await world.checkout(key);
      await expire(key, 'answer_expires_at');
      if (what === 'swept') await forget(upkeep, 100);
      for (let n = 0; n < 3; n += 1) {
        const late = await world.checkout(key);
        expect(late.status).toBe(409);
        expect(late.json).toMatchObject({
          code: 'key-expired',
          retryable: false,
          sameKeySafe: false,
          operationUrl: `/v1/operations/${first.json.id}`,
        });
        expect(late.headers.get('location')).toBe(`/v1/operations/${first.json.id}`);
        expect(late.text).not.toContain(first.json.orderId);
      }
      const other = await world.checkout(key, { cartId: 'another' });
      expect([other.status, other.json.code]).toEqual([422, 'key-reused']);
      expect(other.text).not.toContain(first.json.id);
      expect((await world.ask('GET', `/v1/operations/${first.json.id}`)).json).toMatchObject({
        id: first.json.id,
        state: 'succeeded',
      });
      expect(await effectsOf(world, key)).toEqual(paidOnce);
    },
  );

  it('takes with it what the caller told us, once it is swept', async () => {
    await world.checkout('forgets', { email: 'forgotten@example.com' });
    await expire('forgets', 'answer_expires_at');
    const kept = async () =>
      (await world.sql(`select from hapax.operation where key = 'forgets' and answer_body is not null`)).length;
    await forgotten(async () => (await kept()) === 0);
    const [row] = await world.sql<{ text: string }>(
      `select o::text as text from hapax.operation o where key = 'forgets'`,
    );
    const steps = await world.sql<{ text: string }>(
      `select string_agg(s::text, ' ') as text from hapax.step s join hapax.operation on id = operation_id where key = 'forgets'`,
    );
    expect(steps[0]?.text).toContain('reserve');
    expect(steps[0]?.text).not.toMatch(/forgotten@example.com|mug-blue/);
    expect(row?.text).not.toContain('forgotten@example.com');
    expect(row?.text).not.toContain('mug-blue');
  });

  it('was replayed until that moment, and from it on is refused, whoever asks around it', async () => {
    const first = await world.checkout('around');
    let isOver = false;
    const callers = Array.from({ length: 4 }, () => [] as string[]);
    const asking = callers.map(async (told) => {
      const askOnce = async () => {
        const answer = await world.checkout('around');
        if (answer.status === 201) expect(answer.text).toBe(first.text);
        told.push(`${answer.status} ${answer.json.code ?? ''}`);
      };
      while (!isOver) await askOnce();
      await askOnce();
    });
    const haveAll = (what: string) => Promise.resolve(callers.every((told) => told.includes(what)));
    await world.until('each has asked before', () => haveAll('201 '));
    await expire('around', 'answer_expires_at', '300 milliseconds');
    await world.until('each has asked after', () => haveAll('409 key-expired'));
    isOver = true;
    await Promise.all(asking);
    for (const told of callers) {
      const before = told.indexOf('409 key-expired');
      expect(new Set(told.slice(0, before))).toEqual(new Set(['201 ']));
      expect(new Set(told.slice(before))).toEqual(new Set(['409 key-expired']));
    }
    expect(await effectsOf(world, 'around')).toEqual(paidOnce);
  });
});

describe('a key whose tombstone is gone as well', () => {
  it('is new: what it names then runs', async () => {
    const poster = { items: [{ sku: 'poster', quantity: 1 }] };
    const refused = await world.checkout('tombstone', poster);
    expect(refused.json.code).toBe('out-of-stock');
    await expire('tombstone', 'tombstone_until');
    await forgotten(async () => (await rows('tombstone')) === 0);
    const anew = await world.checkout('tombstone');
    expect([anew.status, anew.headers.get('idempotency-status')]).toEqual([201, 'created']);
    expect(await effectsOf(world, 'tombstone')).toEqual(paidOnce);
  });

  it.each([
    ['the same cart', {}],
    ['another cart', { cartId: 'another-cart' }],
  ])('still pays nothing twice while its order stands: %s', async (what, changes) => {
    const key = `order outlives, ${what}`.replace(',', '');
    const first = await world.checkout(key, { cartId: `cart of ${key}` });
    expect(first.status).toBe(201);
    await expire(key, 'tombstone_until');
    await forgotten(async () => (await rows(key)) === 0);
    const late = await world.checkout(key, { cartId: `cart of ${key}`, ...changes });
    expect([late.status, late.json.code]).toEqual([409, 'key-expired']);
    expect((await world.checkout(key, { cartId: `cart of ${key}`, ...changes })).text).toBe(late.text);
    expect(await effectsOf(world, key)).toEqual(paidOnce);
  });
});

it('a key that was issued and not used for a month is forgotten', async () => {
  const [old, fresh] = await Promise.all([world.ask('POST', '/v1/keys'), world.ask('POST', '/v1/keys')]);
  const issued = () =>
    world.sql('select key from hapax.issued_key where key in ($1, $2)', old.json.key, fresh.json.key);
  await world.sql(
    `update hapax.issued_key set issued_at = now() - interval '31 days' where key = $1`,
    ...[old.json.key],
  );
  await forget(upkeep, 100);
  expect(await issued()).toEqual([{ key: fresh.json.key }]);
});

describe('the sweep', () => {
  it('against late retries leaves each of them one truth: the answer, or that it has expired', async () => {
    const keys = Array.from({ length: 8 }, (_, n) => `swept-${n}`);
    const firsts = await Promise.all(keys.map((key) => world.checkout(key)));
    for (const key of keys) await expire(key, 'answer_expires_at', '250 milliseconds');
    let sweeping = true;
    const sweep = (async () => {
      while (sweeping) await forget(upkeep, 2);
    })();
    for (let round = 0; round < 8; round += 1) {
      const answers = await Promise.all(keys.map((key) => world.checkout(key)));
      for (const [n, answer] of answers.entries())
        if (answer.status === 201) expect(answer.text).toBe(firsts[n]?.text);
        else expect([answer.status, answer.json.code]).toEqual([409, 'key-expired']);
    }
    sweeping = false;
    await sweep;
    for (const key of keys) expect(await effectsOf(world, key)).toEqual(paidOnce);
  });

  it('leaves alone what is open and what is to be kept, however old', async () => {
    const first = await world.checkout('kept');
    await world.checkout('goes');
    await expire('goes', 'answer_expires_at');
    await world.sql(
      `insert into hapax.operation (id, tenant, environment, subject, key_subject, flow, flow_version, key, generation,
         fingerprint, fingerprint_version, request, request_id, state, created_at, next_look_at)
       values ($1, $2, 'test', 'default', 'default', 'checkout', 1, 'open-for-years', 1, 'f', 1, '{"cartId":"x"}', 'r', 'claimed',
         now() - interval '5 years', now() + interval '1 hour')`,
      `op_${'y'.repeat(26)}`,
      world.tenants.alpha,
    );
    await world.sql(`update hapax.operation set state = 'running' where key = 'open-for-years'`);
    await forget(upkeep, 1_000);
    expect((await world.checkout('kept')).text).toBe(first.text);
    expect((await world.checkout('goes')).json.code).toBe('key-expired');
    expect(await world.sql(`select state, request from hapax.operation where key = 'open-for-years'`)).toEqual([
      { state: 'running', request: { cartId: 'x' } },
    ]);
  });
});

describe('clocks', () => {
  it.each([
    ['ten minutes ahead', minutes(10)],
    ['ten minutes behind', -minutes(10)],
    ['forty days ahead', days(40)],
    ['forty days behind', -days(40)],
  ])(
    'of a door that are %s, and of a worker that is ten minutes ahead, change nothing: PostgreSQL’s decides',
    async (what, by) => {
      const door = await world.start('workers/http.ts', { ...clockOff(by), HAPAX_ANSWER_CACHE: '1000' });
      const wrong = world.doors.push(door) - 1;
      const ask = (key: string) => world.checkout(key, {}, { door: wrong, body: world.cart(key) });

      const first = await ask(`made ${what}`);
      expect(first.status).toBe(201);
      const [kept] = await world.sql<{ kept: number; age: number }>(
        `select extract(epoch from answer_expires_at - settled_at)::float8 / 86400 as kept,
        abs(extract(epoch from now() - created_at))::float8 as age from hapax.operation where key = $1`,
        `made ${what}`,
      );
      expect(kept?.kept).toBeCloseTo(30, 5);
      expect(kept?.age).toBeLessThan(300);
      // Kept by PostgreSQL's clock, whatever the door's says: replayed at the wrong door and at the right one.
      expect((await ask(`made ${what}`)).text).toBe(first.text);
      expect((await world.checkout(`made ${what}`)).text).toBe(first.text);
      // Expired by PostgreSQL's clock, whatever the door's says.
      await world.checkout(`gone ${what}`);
      await expire(`gone ${what}`, 'answer_expires_at');
      expect((await ask(`gone ${what}`)).json.code).toBe('key-expired');
      for (const key of [`made ${what}`, `gone ${what}`]) expect(await effectsOf(world, key)).toEqual(paidOnce);
      await door.stop();
    },
  );
});
