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

/** The longest that a caller may wait. Seconds. */
const longest = 30;

/** When the provider's client gives a call up: from then on the operation may be in doubt. Milliseconds. */
const givenUp = 3_000;

/** Lets a checkout begin and be held at the provider. */
async function heldCheckout(key: string) {
  const begun = performance.now();
  const id = await holdConfirm(world, key);
  const first = world.checkout(key, {}, { headers: wait(longest) });
  await untilHeld(world, key);
  return { id, first, begun };
}

/** How many requests the door has let join an operation. */
async function joins(): Promise<number> {
  const { text } = await world.ask('GET', '/metrics', { token: null });
  const counts = text.matchAll(/^hapax_requests_total\{flow="checkout",decision="joined",layer="\w+"\} (\d+)/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
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
    const before = await joins();
    const again = () => world.checkout('joins', {}, { headers: wait(longest) });
    const joined = Promise.all([again(), again()]);
    await world.until('both have joined', async () => (await joins()) === before + 2);
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
      // Who prefers nothing waits for ten seconds.
      expect(performance.now() - begun).toBeLessThan(9_500);
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
    const end = await world.checkout('prefers', {}, { headers: wait(longest) });
    expect([end.status, end.json.id]).toEqual([201, id]);
    expect(await effectsOf(world, 'prefers')).toEqual(paidOnce);
  });

  it('and a look at the operation, which may wait as well, see it go from running to its end', async () => {
    const { id, first, begun } = await heldCheckout('looks');
    const look = await world.ask('GET', `/v1/operations/${id}`);
    // A machine that is busy for longer than the call may last shows the doubt that comes of it.
    const inTime = performance.now() - begun < givenUp || look.json.state === 'running';
    const [state, step] = inTime ? ['running', 'sent'] : ['indeterminate', 'unknown'];
    expect([look.status, look.json.state]).toEqual([200, state]);
    expect(look.json.steps.map((one: { name: string; state: string }) => one.state)).toEqual([
      ...['done', 'done', step],
      // The buyer, how the bank decides, the capture, the order.
      ...['planned', 'planned', 'planned', 'planned'],
    ]);
    const patient = world.ask('GET', `/v1/operations/${id}`, { headers: wait(longest) });
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
    const { id, first } = await heldCheckout('in-doubt');
    // The local try ends after three seconds without an answer; what it asked for may yet happen.
    await world.until('the ledger shows doubt', async () => (await world.state(id)) === 'indeterminate');
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
    const end = await world.checkout('in-doubt', {}, { headers: wait(longest) });
    expect([end.status, end.json.id]).toEqual([201, id]);
    // Whoever had asked first was told the end, or by the end of its wait that nobody knew it yet.
    const told = await first;
    if (told.status === 201) expect(told.text).toBe(end.text);
    else expect([told.status, told.json.code]).toEqual([409, 'operation-indeterminate']);
    expect(await effectsOf(world, 'in-doubt')).toEqual(paidOnce);
  });

  it('the caller is told so for as long as the doubt lasts, and never that it has failed', async () => {
    // The first try is held before the effect, three are dropped after it, and then each is held after it: nobody can know.
    const begun = performance.now();
    const id = await holdConfirm(world, 'long-doubt', 1);
    const match = { path: 'confirm$', operation: id };
    await world.faults([
      { match, times: 3, fault: 'drop_after' },
      { match, times: 1_000, fault: 'hold_after' },
    ]);
    const first = await world.checkout('long-doubt', {}, { headers: wait(1) });
    const early = performance.now() - begun < givenUp;
    expect(early ? ['in-progress'] : ['in-progress', 'operation-indeterminate']).toContain(first.json.code);
    const seen = new Set<string>();
    const ask = async () => {
      const answer = await world.checkout('long-doubt', {}, { headers: wait(0) });
      seen.add(String(answer.json.code));
      return answer;
    };
    await world.until('a try is held after its effect', async () => {
      await ask();
      const { held } = (await world.sandboxControl('GET', 'faults')) as { held: { boundary: string }[] };
      return held.some(({ boundary }) => boundary === 'after');
    });
    expect((await ask()).json.code).toBe('operation-indeterminate');
    await release(world);
    const end = await world.until('the operation ends', async () => {
      const answer = await ask();
      return answer.status === 201 && answer;
    });
    expect([...seen].filter((code) => !['in-progress', 'operation-indeterminate', 'undefined'].includes(code))).toEqual(
      [],
    );
    expect((await world.checkout('long-doubt')).text).toBe(end.text);
    expect(await effectsOf(world, 'long-doubt')).toEqual(paidOnce);
  });
});
