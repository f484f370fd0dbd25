import { request } from 'node:http';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { exchange, rawRequest } from '../http/raw-exchange.ts';
import { lostTasks } from '../support/lost-tasks.ts';
import { type Answered, World } from '../support/world.ts';
import { effectsOf, paidOnce } from './effects.ts';
import { checkoutId, holdConfirm, release, untilHeld } from './held.ts';

let world: World;
beforeAll(async () => {
  world = await World.create(inject('ground'), { doors: 2 });
  // Connections and compiled code are there before anything is timed.
  await Promise.all(
    [0, 1].map((door) => world.checkout(`warm-${door}`, {}, { door, body: world.cart(`warm-${door}`) })),
  );
});
afterAll(() => world.close());

/** How many runs Temporal knows of a key, found by search attribute, whatever their ids; and how many tasks the run has lost. */
async function runsOf(key: string, workflow: string): Promise<{ runs: number; lost: number }> {
  const connection = await Connection.connect({ address: inject('ground').temporalAddress });
  const query = `HapaxKey = '${key}' and HapaxTenant = '${world.tenants.alpha}'`;
  const client = new Client({ connection });
  try {
    // Temporal's index lags behind its runs.
    const runs = await world.until(
      'Temporal lists the run',
      async () => (await client.workflow.count(query)).count || undefined,
    );
    return { runs, lost: await lostTasks(client.workflow.getHandle(workflow)) };
  } finally {
    await connection.close();
  }
}

/**
 * A caller that waits for as long as one may, and comes again when it is told to: a busy machine turns new work away, or is
 * late with a connection to PostgreSQL.
 */
async function patiently(key: string, door: number, cart = world.cart(key)): Promise<Answered> {
  const ask = async () => {
    const answer = await world.checkout(key, {}, { door, body: cart, headers: { prefer: 'wait=30' } });
    return answer.status !== 503 && answer;
  };
  return await world.until(`${key} is answered`, ask, 30_000, 500);
}

describe('many requests with one key at once, through two processes', () => {
  it.each([100, 500])('%i have one effect and equal answers', async (count) => {
    const key = `at-once-${count}`;
    const times: number[] = [];
    const answers = await Promise.all(
      Array.from({ length: count }, async (_, n) => {
        const begun = performance.now();
        const answer = await patiently(key, n % 2);
        times.push(performance.now() - begun);
        return answer;
      }),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    const how = answers.map(({ headers }) => headers.get('idempotency-status'));
    expect(how.filter((one) => one === 'created')).toHaveLength(1);
    expect(new Set(how).difference(new Set(['created', 'joined', 'replayed'])).size).toBe(0);
    expect(await effectsOf(world, key)).toEqual(paidOnce);
    const { runs, lost } = await runsOf(key, answers[0]?.headers.get('hapax-workflow-id') ?? '');
    expect(runs).toBe(1);
    const [row, ...others] = await world.sql('select fence::int, generation from hapax.operation where key = $1', key);
    expect([row?.generation, others]).toEqual([1, []]);
    // One run holds it, and nobody takes it over but a worker that got a lost task.
    expect(row?.fence).toBeGreaterThanOrEqual(1);
    expect(row?.fence).toBeLessThanOrEqual(1 + lost);
    times.sort((a, b) => a - b);
    const at = (part: number): number => Math.round(times[Math.floor(times.length * part)] as number);
    console.log(`${count} at once with one key: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, last ${at(0.9999)} ms`);
    const arrived = await world.until('every arrival is recorded', async () => {
      const [row] = await world.sql<{ times: number }>(
        'select sum(times)::int as times from hapax.arrival where operation_id = $1',
        answers[0]?.json.id,
      );
      return row?.times === count && row.times;
    });
    expect(arrived).toBe(count);
  });

  it('a loser that finds the winner settled gets the stored answer', async () => {
    const first = await patiently('settled-first', 0);
    const losers = await Promise.all(Array.from({ length: 20 }, (_, n) => patiently('settled-first', n % 2)));
    for (const loser of losers) {
      expect(loser.text).toBe(first.text);
      expect(loser.headers.get('idempotency-status')).toBe('replayed');
      expect(loser.headers.get('original-request')).toBe(first.headers.get('request-id'));
    }
    expect(await effectsOf(world, 'settled-first')).toEqual(paidOnce);
  });

  it('different keys at once each have their own effect', async () => {
    const keys = Array.from({ length: 30 }, (_, n) => `own-${n}`);
    const answers = await Promise.all(keys.map((key, n) => patiently(key, n % 2)));
    expect(answers.map(({ status }) => status)).toEqual(keys.map(() => 201));
    for (const key of keys) expect(await effectsOf(world, key)).toEqual(paidOnce);
  });
});

describe('twenty keys for one cart', () => {
  const paid = (answers: readonly Answered[]) => answers.filter(({ status }) => status === 201);

  it('make one order and one payment; the others are told, and know more when they ask again', async () => {
    const keys = Array.from({ length: 20 }, (_, n) => `cart-key-${n}`);
    const ask = (key: string, n: number) => patiently(key, n % 2, world.cart('one', { cartId: 'one-cart' }));
    const answers = await Promise.all(keys.map(ask));
    expect(paid(answers)).toHaveLength(1);
    for (const loser of answers.filter(({ status }) => status !== 201)) {
      expect(loser.status).toBe(409);
      expect(['cart-in-progress', 'cart-already-paid']).toContain(loser.json.code);
      if (loser.json.code === 'cart-in-progress')
        expect(loser.json).toMatchObject({ retryable: true, sameKeySafe: true, action: 'wait', retryAfter: 1 });
    }
    const orders = await world.sql(`select state from hapax.customer_order where cart_id = 'one-cart'`);
    expect(orders).toEqual([{ state: 'paid' }]);
    const winner = paid(answers)[0]?.json.id as string;
    const ids = await world.sql<{ id: string }>(`select id from hapax.operation where key like 'cart-key-%'`);
    const moved = (await world.audit()).filter(({ operation }) => ids.some(({ id }) => id === operation));
    expect(moved.map(({ type, operation }) => [type, operation])).toEqual([
      ['payment_intent.created', winner],
      ['payment_intent.confirmed', winner],
      ['payment_intent.captured', winner],
    ]);

    const again = await Promise.all(keys.map(ask));
    const once = await Promise.all(keys.map(ask));
    for (const [n, answer] of again.entries()) {
      if (answers[n]?.status === 201) expect(answer.text).toBe(answers[n].text);
      else expect([answer.status, answer.json.code]).toEqual([409, 'cart-already-paid']);
      // Now it is settled for good: the same bytes from here on.
      expect(once[n]?.text).toBe(answer.text);
      expect(once[n]?.headers.get('idempotent-replayed')).toBe('true');
    }
    expect(
      (await world.audit()).filter(
        ({ type, operation }) => type === 'payment_intent.captured' && ids.some(({ id }) => id === operation),
      ),
    ).toHaveLength(1);
  });

  it('that find its order pending are told to wait, and nothing is stored of that', async () => {
    await holdConfirm(world, 'holder');
    const holder = patiently('holder', 0, world.cart('holder', { cartId: 'busy-cart' }));
    await untilHeld(world, 'holder');
    const waiter = () => patiently('waiter', 0, world.cart('waiter', { cartId: 'busy-cart' }));
    const waiting = await waiter();
    expect([waiting.status, waiting.json.code]).toEqual([409, 'cart-in-progress']);
    expect(waiting.headers.get('retry-after')).toBe('1');
    await release(world);
    expect((await holder).status).toBe(201);
    const told = await waiter();
    expect([told.status, told.json.code]).toEqual([409, 'cart-already-paid']);
    expect(told.headers.get('idempotent-replayed')).toBeNull();
    expect((await waiter()).text).toBe(told.text);
    expect(await effectsOf(world, 'waiter')).toMatchObject({ operations: 2, orders: [], payments: [] });
    expect(await effectsOf(world, 'holder')).toEqual(paidOnce);
  });

  it('and one that was declined leaves the cart to the next key', async () => {
    const declined = await world.checkout('declines', {
      cartId: 'second-chance',
      paymentMethod: 'pm_card_chargeDeclined',
    });
    expect(declined.status).toBe(402);
    expect((await world.checkout('pays', { cartId: 'second-chance' })).status).toBe(201);
    expect(
      await world.sql(`select state from hapax.customer_order where cart_id = 'second-chance' order by created_at`),
    ).toEqual([{ state: 'released' }, { state: 'paid' }]);
    expect((await effectsOf(world, 'declines')).payments).not.toContain('payment_intent.captured');
  });
});

describe('a client', () => {
  it('that goes away does not stop its operation, and finds the answer when it comes back', async () => {
    const id = await holdConfirm(world, 'goes-away');
    const { hostname, port } = new URL((world.doors[0] as { address: string }).address);
    const body = JSON.stringify(world.cart('goes-away'));
    const headers = {
      authorization: 'Bearer local-alpha',
      'idempotency-key': 'goes-away',
      'content-type': 'application/json',
    };
    const leaving = request({ hostname, port, method: 'POST', path: '/v1/checkouts', headers });
    leaving.on('error', () => undefined).end(body);
    await untilHeld(world, 'goes-away');
    leaving.destroy();
    await release(world);
    await world.until('the operation succeeds', async () => (await world.state(id)) === 'succeeded');
    const back = await world.checkout('goes-away', {}, { door: 1, body });
    expect([back.status, back.json.id]).toEqual([201, id]);
    expect(back.headers.get('idempotency-status')).toBe('replayed');
    expect(await effectsOf(world, 'goes-away')).toEqual(paidOnce);
  });

  it('that sends the same request twice in one batch gets the same answer twice', async () => {
    const one = rawRequest({ headers: [['Idempotency-Key', 'batch']], body: JSON.stringify(world.cart('batch')) });
    const answers = await exchange((world.doors[0] as { address: string }).address, Buffer.concat([one, one, one]), 3);
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(new Set(answers.map(({ body }) => body.toString())).size).toBe(1);
    expect(answers.filter(({ headers }) => headers['idempotency-status'] === 'created')).toHaveLength(1);
    expect(await effectsOf(world, 'batch')).toEqual(paidOnce);
    expect(checkoutId(world, 'batch')).toBe(JSON.parse(answers[0]?.body.toString() ?? '{}').id);
  });
});
