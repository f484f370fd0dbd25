import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { operationId } from '../../workflows/operation/key.ts';
import { checkoutScope } from '../support/lane.ts';
import { paidOnce, traces } from '../support/one-checkout.ts';
import { calls } from '../support/provider-faults.ts';
import { unhurried } from '../support/unhurried-protection.ts';
import { World } from '../support/world.ts';

type Sent = { readonly path: string; readonly at: string; readonly operation: string | null; readonly key: string };

const impatient = { headers: { prefer: 'wait=1' } };

/** A world whose payments are kept within these bounds and no others. */
async function protectedWorld(protection: object): Promise<World> {
  return await World.create(inject('ground'), {
    env: { HAPAX_PROTECTION: JSON.stringify({ payments: { ...unhurried, ...protection } }) },
  });
}

const idOf = (world: World, key: string) => operationId(checkoutScope(world, key), 1);

/** What has reached the provider, oldest first. */
async function reached(world: World): Promise<Sent[]> {
  return (await (await fetch(`${world.sandbox.address}/_requests`)).json()) as Sent[];
}

/** What the operations worker has counted. */
async function counted(world: World, metric: string, labels: Record<string, string>): Promise<number> {
  const [worker] = world.running('workers/operations.ts');
  const text = await (await fetch(`${worker?.address}/metrics`)).text();
  const line = text
    .split('\n')
    .find(
      (one) =>
        one.startsWith(`${metric}{`) &&
        Object.entries({ system: 'payments', ...labels }).every(([name, value]) => one.includes(`${name}="${value}"`)),
    );
  return Number(line?.split(' ').at(-1) ?? 0);
}

const breakerOpen = async (world: World) => (await counted(world, 'hapax_outside_breaker_open', {})) === 1;

/** Far more than all its waits together. Milliseconds. */
const patient = { timeout: 240_000 };

async function allPaid(world: World, keys: readonly string[], within: number): Promise<void> {
  for (const key of keys) {
    await world.until(`${key} is paid`, async () => (await world.state(idOf(world, key))) === 'succeeded', within);
    expect(await traces(world, idOf(world, key))).toEqual(paidOnce);
  }
}

const isBetween = (begin: number, end: number) => (at: number) => at > begin && at <= end;

/** Longer than the rest of the system's doings between two calls. Milliseconds. */
const pause = 5_000;

describe('an outside system that fails', () => {
  let world: World;
  beforeAll(async () => {
    world = await protectedWorld({ lastCalls: 8, halfOpenAfter: pause });
  });
  afterAll(() => world.close());

  const opening = (key: string) =>
    world.sql<{ state: string; attempt: number }>(
      `select state, attempt from hapax.step where operation_id = $1 and name = 'openPayment'`,
      idOf(world, key),
    );

  it.each([
    { says: 'answers every call with 500', rule: { fault: '500_before' } },
    { says: 'never answers', rule: { fault: 'hold_before' } },
  ])(
    'and $says is left alone, its callers are told to wait, and each is paid once when it is back',
    patient,
    async ({ says, rule }) => {
      await world.faults([{ match: { path: '/v1/' }, ...rule, times: 10_000 }]);
      const keys = Array.from({ length: 8 }, (_, n) => `${rule.fault}-${n}`);
      for (const key of keys)
        expect((await world.checkout(key, {}, { headers: { prefer: 'wait=0' } })).status).toBe(409);
      await world.until(`the breaker opens, since the provider ${says}`, () => breakerOpen(world), 30_000);
      const opened = Date.now();

      // Somebody who comes now is told to wait, and nothing of theirs is sent.
      const newcomers = [`${rule.fault}-newcomer-0`];
      const comes = async () => {
        const newcomer = newcomers.at(-1) as string;
        const { status, headers, json } = await world.checkout(newcomer, {}, impatient);
        expect([status, json.retryable, json.sameKeySafe, json.action]).toEqual([409, true, true, 'wait']);
        // Once in a while a call is let through, to see whether the provider is back. It may be this one.
        const [step] = await opening(newcomer);
        if (step !== undefined && (step.state !== 'planned' || step.attempt !== 0)) {
          newcomers.push(`${rule.fault}-newcomer-${newcomers.length}`);
          return false;
        }
        // Pauses are drawn at random. Only a longer one is told as such.
        const left = json.trouble === undefined ? 0 : Date.parse(json.trouble.nextTryAt) - Date.now();
        return left < 2_500 ? false : { headers, json };
      };
      const told = await world.until('a caller is told why', comes, 40_000);
      expect(told.json).toMatchObject({
        code: 'in-progress',
        trouble: { step: 'openPayment' },
      });
      expect(told.json.trouble.says).toBe(
        'The payment provider gives no clear answers, so it is left alone for a moment. Nothing was sent.',
      );
      expect(Number(told.headers.get('retry-after'))).toBeGreaterThanOrEqual(3);
      expect(told.json.retryAfter).toBe(Number(told.headers.get('retry-after')));
      // From the opening on there is one call in each pause, and no other.
      await new Promise((resolve) => setTimeout(resolve, opened + 3 * pause - Date.now()));
      const since = (await reached(world))
        .map(({ at }) => Date.parse(at))
        .filter(isBetween(opened, opened + 3 * pause));
      expect(since.length).toBeGreaterThanOrEqual(1);
      expect(since.length).toBeLessThanOrEqual(3);
      expect(await counted(world, 'hapax_outside_turned_away_total', { by: 'breaker' })).toBeGreaterThan(0);
      expect(await breakerOpen(world)).toBe(true);

      await world.sandboxControl('DELETE', 'faults');
      await world.sandboxControl('POST', 'release', { all: true });
      await allPaid(world, [...keys, ...newcomers], 60_000);
      expect(await breakerOpen(world)).toBe(false);
    },
  );
});

describe('calls of an outside system at once', () => {
  const atOnce = 3;
  let world: World;
  beforeAll(async () => {
    world = await protectedWorld({ atOnce });
  });
  afterAll(() => world.close());

  it('are no more than are declared, and every operation has its turn', patient, async () => {
    await world.faults([{ match: { path: calls.openPayment }, fault: 'hold_before', times: 10_000 }]);
    const keys = Array.from({ length: 10 }, (_, n) => `crowd-${n}`);
    for (const key of keys) await world.checkout(key, {}, { headers: { prefer: 'wait=0' } });
    let most = 0;
    const turnedAway = () => counted(world, 'hapax_outside_turned_away_total', { by: 'bulkhead' });
    const end = Date.now() + 8_000;
    // For as long as it takes until all that may be are under way, and others are turned away.
    while (Date.now() < end || (most < atOnce && Date.now() < end + 60_000)) {
      const { held } = (await world.sandboxControl('GET', 'faults')) as { held: unknown[] };
      most = Math.max(most, held.length);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(most).toBe(atOnce);
    await world.until('others are turned away', async () => (await turnedAway()) > 0);
    await world.sandboxControl('DELETE', 'faults');
    await world.sandboxControl('POST', 'release', { all: true });
    await allPaid(world, keys, 60_000);
  });
});

describe('retries of an outside system', () => {
  const share = 0.1;
  const floor = 5;
  let world: World;
  beforeAll(async () => {
    world = await protectedWorld({ retryShare: share, retriesAtLeast: floor });
  });
  afterAll(() => world.close());

  it('stay under their share, which is counted, while first calls go on, and in the end none is left out', async () => {
    const failing = Array.from({ length: 12 }, (_, n) => `failing-${n}`);
    // No clear answer, and no effect: each wants to be asked again, after 0.3, 1 and 2 seconds and so on.
    await world.faults(
      failing.map((key) => ({
        match: { operation: idOf(world, key), path: calls.openPayment },
        fault: '409',
        times: 10_000,
      })),
    );
    const began = Date.now();
    for (const key of failing) await world.checkout(key, {}, { headers: { prefer: 'wait=0' } });
    // Others meet no fault, and are not held up by those.
    for (let n = 0; n < 15; n += 1)
      expect((await world.checkout(`healthy-${n}`, {}, { headers: { prefer: 'wait=30' } })).status).toBe(201);
    await new Promise((resolve) => setTimeout(resolve, began + 15_000 - Date.now()));

    // Calls go on meanwhile: one that is counted may be on its way to the provider.
    const all = await world.until('what is counted is what has reached the provider', async () => {
      const sent = await reached(world);
      const retried = await counted(world, 'hapax_outside_calls_total', { kind: 'retry' });
      const first = await counted(world, 'hapax_outside_calls_total', { kind: 'first' });
      return retried === again(sent) && first === sent.length - retried && sent;
    });
    const windows = Math.ceil((Date.now() - began) / 10_000);
    const retries = again(all);
    expect(retries).toBeGreaterThan(0);
    expect(retries).toBeLessThanOrEqual(Math.max(share * all.length, floor * windows));
    expect(await counted(world, 'hapax_outside_turned_away_total', { by: 'retry-budget' })).toBeGreaterThan(0);

    await world.sandboxControl('DELETE', 'faults');
    await allPaid(world, failing, 90_000);
    const whole = await reached(world);
    expect(again(whole)).toBeLessThanOrEqual(
      Math.max(share * whole.length, floor * Math.ceil((Date.now() - began) / 10_000)),
    );
  }, 240_000);
});

/** How many of the calls were sent before, under the same key. */
function again(sent: readonly Sent[]): number {
  return sent.length - new Set(sent.map(({ key }) => key)).size;
}
