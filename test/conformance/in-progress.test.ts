import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Answered, World } from '../support/world.ts';
import { effectsOf, paidOnce } from './effects.ts';
import { checkoutId, holdConfirm, release, untilHeld } from './held.ts';

let world: World;
beforeAll(async () => {
  world = await World.create(inject('ground'));
});
afterAll(() => world.close());

const wait = (seconds: number) => ({ prefer: `wait=${seconds}` });

/** Lets a checkout begin and be held at the provider, whose client gives a call up after three seconds. */
async function heldCheckout(key: string, times = 1) {
  const id = await holdConfirm(world, key, times);
  const first = world.checkout(key);
  await untilHeld(world, key);
  return { id, first };
}

/** Runs `work` while no worker does anything: what is begun in it stays begun for as long as it likes. */
async function withFrozenWorkers<T>(work: () => Promise<T>): Promise<T> {
  const workers = world.running('workers/operations.ts');
  for (const worker of workers) worker.signal('SIGSTOP');
  try {
    return await work();
  } finally {
    for (const worker of workers) worker.signal('SIGCONT');
  }
}

describe('while an operation is in flight, the same request', () => {
  it('joins it and gets its end', async () => {
    const { first } = await heldCheckout('joins');
    const joined = Promise.all([world.checkout('joins'), world.checkout('joins')]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await release(world);
    for (const answer of await joined) {
      expect(answer.text).toBe((await first).text);
      expect(answer.headers.get('idempotency-status')).toBe('joined');
      expect(answer.headers.get('idempotent-replayed')).toBeNull();
    }
    expect((await first).status).toBe(201);
    expect(await effectsOf(world, 'joins')).toEqual(paidOnce);
  });

  it('is told after the wait it prefers that it goes on, and where to look', async () => {
    const id = checkoutId(world, 'prefers');
    const [created, soon, now] = await withFrozenWorkers(async () => {
      const first = await world.checkout('prefers', {}, { headers: wait(0) });
      const begun = performance.now();
      const answers = await Promise.all([
        world.checkout('prefers', {}, { headers: wait(1) }),
        world.checkout('prefers', {}, { headers: wait(0) }),
      ]);
      expect(performance.now() - begun).toBeGreaterThan(950);
      expect(performance.now() - begun).toBeLessThan(5_000);
      return [first, ...answers];
    });
    expect(created?.headers.get('idempotency-status')).toBe('created');
    for (const answer of [soon as Answered, now as Answered]) {
      expect(answer.status).toBe(409);
      expect(answer.json).toMatchObject({
        code: 'in-progress',
        state: 'claimed',
        retryable: true,
        sameKeySafe: true,
        action: 'wait',
        operationUrl: `/v1/operations/${id}`,
      });
      expect(answer.headers.get('retry-after')).toBe('1');
      expect(answer.headers.get('location')).toBe(`/v1/operations/${id}`);
      expect(answer.headers.get('idempotency-status')).toBe('joined');
      expect(answer.headers.get('idempotent-replayed')).toBeNull();
    }
    // "In progress" is never the stored answer.
    const end = await world.checkout('prefers', {}, { headers: wait(20) });
    expect([end.status, end.json.id]).toEqual([201, id]);
    expect(await effectsOf(world, 'prefers')).toEqual(paidOnce);
  });

  it('and a look at the operation, which may wait as well, see it go from running to its end', async () => {
    const { id, first } = await heldCheckout('looks');
    const look = await world.ask('GET', `/v1/operations/${id}`);
    expect([look.status, look.json.state]).toEqual([200, 'running']);
    expect(look.json.steps.map((step: { name: string; state: string }) => step.state)).toEqual([
      ...['done', 'done', 'sent'],
      // The buyer, how the bank decides, the capture, the order.
      ...['planned', 'planned', 'planned', 'planned'],
    ]);
    const patient = world.ask('GET', `/v1/operations/${id}`, { headers: wait(5) });
    const impatient = await world.ask('GET', `/v1/operations/${id}`, { headers: wait(1) });
    expect(impatient.status).toBe(200);
    expect(['running', 'indeterminate']).toContain(impatient.json.state);
    await release(world);
    expect((await patient).json).toMatchObject({ state: 'succeeded', result: { orderId: (await first).json.orderId } });
    expect(await effectsOf(world, 'looks')).toEqual(paidOnce);
  });

  it('may be asked for as often as one likes: nothing is counted against it', async () => {
    const door = world.doors.push(await world.start('workers/http.ts', { HAPAX_NEW_PER_MINUTE: '1' })) - 1;
    const ask = (key: string, changes = {}) => world.checkout(key, {}, { door, body: world.cart(key, changes) });
    const first = await ask('limited');
    expect(first.status).toBe(201);
    const refused = await ask('one-too-many');
    expect([refused.status, refused.json.code, refused.json.retryable]).toEqual([429, 'too-many-requests', true]);
    expect(refused.headers.get('retry-after')).toBeTruthy();
    for (let n = 0; n < 5; n += 1) expect((await ask('limited')).text).toBe(first.text);
    expect((await ask('limited', { cartId: 'another' })).status).toBe(422);
    expect((await effectsOf(world, 'one-too-many')).operations).toBe(0);
    const key = await world.ask('POST', '/v1/keys', { door });
    expect([key.status, key.json.code]).toEqual([429, 'too-many-requests']);
    expect((await world.checkout('one-too-many')).status).toBe(201);
  });
});

describe('when the provider gives no clear answer', () => {
  it('the operation is shown as indeterminate, is asked for again, and ends with one charge', async () => {
    const { id, first } = await heldCheckout('in-doubt', 9);
    // The local try ends after three seconds without an answer; what it asked for may yet happen.
    await world.until('the ledger shows doubt', async () => (await world.state(id)) === 'indeterminate', 20_000);
    const asked = await world.checkout('in-doubt', {}, { headers: wait(0) });
    expect(asked.status).toBe(409);
    expect(asked.json).toMatchObject({
      code: 'operation-indeterminate',
      state: 'indeterminate',
      retryable: true,
      sameKeySafe: true,
      action: 'wait',
      operationUrl: `/v1/operations/${id}`,
    });
    expect(asked.headers.get('location')).toBe(`/v1/operations/${id}`);
    expect(asked.headers.get('retry-after')).toBe('2');
    await release(world);
    const end = await world.checkout('in-doubt', {}, { headers: wait(25) });
    expect([end.status, end.json.id]).toEqual([201, id]);
    // Whoever had asked first was told the end, or by the end of its wait that nobody knew it yet.
    const told = await first;
    if (told.status === 201) expect(told.text).toBe(end.text);
    else expect([told.status, told.json.code]).toEqual([409, 'operation-indeterminate']);
    expect(await effectsOf(world, 'in-doubt')).toEqual(paidOnce);
  });

  it('the caller is told so for as long as the doubt lasts, and never that it has failed', async () => {
    // The first try is held before the effect, and three more after it: nobody can know.
    const id = await holdConfirm(world, 'long-doubt');
    await world.faults([{ match: { path: 'confirm$', operation: id }, times: 4, fault: 'drop_after' }]);
    const first = world.checkout('long-doubt', {}, { headers: wait(1) });
    await untilHeld(world, 'long-doubt');
    expect((await first).json.code).toBe('in-progress');
    const seen = new Set<string>();
    const end = await world.until(
      'the operation ends',
      async () => {
        const answer = await world.checkout('long-doubt', {}, { headers: wait(0) });
        seen.add(String(answer.json.code));
        return answer.status === 201 && answer;
      },
      45_000,
    );
    expect(seen.has('operation-indeterminate')).toBe(true);
    expect([...seen].filter((code) => !['in-progress', 'operation-indeterminate', 'undefined'].includes(code))).toEqual(
      [],
    );
    await release(world);
    expect((await world.checkout('long-doubt')).text).toBe(end.text);
    expect(await effectsOf(world, 'long-doubt')).toEqual(paidOnce);
  });
});
