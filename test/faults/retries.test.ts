import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';
import { booksFlow } from '../../workflows/books.flow.ts';
import { seconds } from '../../workflows/operation/duration.ts';
import { operationId } from '../../workflows/operation/key.ts';
import {
  longestCallerWait,
  pauseAfter,
  type RetrySchedule,
  scheduleOf,
} from '../../workflows/operation/retry-schedule.ts';
import { claimedBefore } from '../support/claimed-before.ts';
import { chargeEvent, deliver } from '../support/event-sender.ts';
import { checkoutScope, Lane } from '../support/lane.ts';
import { moneyHeld, paidOnce, traces } from '../support/one-checkout.ts';
import { calls, plan, releaseAll } from '../support/provider-faults.ts';
import { unhurried } from '../support/unhurried-protection.ts';
import { type Answered, World } from '../support/world.ts';

/** The provider does it, and nobody can read its answer. */
const unclear = { fault: 'garble', times: 4 } as const;
/** On a machine that stands still for a while a pause takes longer than it should. Milliseconds. */
const busy = 8_000;
const interactive = scheduleOf('interactive', longestCallerWait);

type Sent = { readonly method: string; readonly path: string; readonly key: string | null; readonly at: string };

let world: World;
beforeAll(async () => {
  world = await World.create(inject('ground'), {
    doors: 2,
    env: {
      HAPAX_ANSWER_CACHE: '0',
      // As it is declared: nothing is hurried here.
      HAPAX_PROTECTION: JSON.stringify({ payments: { ...unhurried, behindCaller: longestCallerWait } }),
    },
  });
});
afterAll(() => world.close());

const idOf = (key: string) => operationId(checkoutScope(world, key), 1);

async function sent(call: keyof typeof calls, operation: string): Promise<readonly Sent[]> {
  const all = (await (await fetch(`${world.sandbox.address}/_requests?operation=${operation}`)).json()) as Sent[];
  return all.filter(({ method, path }) => method === 'POST' && new RegExp(calls[call]).test(path));
}

const times = (all: readonly Sent[]) => all.map(({ at }) => Date.parse(at));
const keys = (all: readonly Sent[]) => new Set(all.map(({ key }) => key));
const sleepUntil = (time: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, time - Date.now())));

/** Each pause is one of its schedule. */
function expectPauses(at: readonly number[], schedule: RetrySchedule, late = busy): void {
  for (const [n, time] of at.slice(1).entries()) {
    const { least, most } = pauseAfter(n + 1, schedule);
    const pause = time - (at[n] as number);
    expect(pause, `pause ${n + 1}`).toBeGreaterThanOrEqual(least);
    expect(pause, `pause ${n + 1}`).toBeLessThanOrEqual(most + late);
  }
}

describe('a step whose provider gives no clear answer', { concurrent: true, timeout: 240_000 }, () => {
  it('is sent four times while its caller may wait, whatever callers and operators do; then behind it, and paid once', async () => {
    const id = idOf('asked');
    await plan(world, id, 'openPayment', unclear);
    const ask = (door: number, wait: number): Promise<Answered> =>
      world.checkout('asked', {}, { door, headers: { prefer: `wait=${wait}` } });
    const asked = ask(0, 30);
    await world.until('it is sent', async () => (await sent('openPayment', id)).length > 0);
    const [first] = times(await sent('openPayment', id)) as [number];
    const end = first + longestCallerWait - 500;
    // As browsers do: refreshed, from two tabs.
    while (Date.now() < end - seconds(18)) await Promise.all([ask(0, 1), ask(1, 1)]);
    await world.until('it is sent four times', async () => (await sent('openPayment', id)).length >= 4);

    // An operator is wrong about it: it is looked up at once, and not sent for that.
    const said = {
      step: 'openPayment',
      outcome: 'done',
      reason: 'A test.',
      evidence: 'None.',
      result: { paymentIntent: 'pi_unheard' },
    };
    const resolve = await world.ask('POST', `/v1/operations/${id}/resolve`, { token: 'operator-alpha', body: said });
    expect(resolve.status).toBe(200);
    await world.until('the operator is answered', async () => {
      const { json } = await world.ask('GET', `/v1/operations/${id}`, { token: 'operator-alpha' });
      return json.resolutions?.at(-1)?.standing === 'lapsed';
    });

    const before = Date.now();
    const open = await ask(1, 1);
    const after = Date.now();
    expect(open).toMatchObject({ status: 409, json: { retryable: true, sameKeySafe: true, action: 'wait' } });
    const next = Date.parse(open.json.trouble.nextTryAt);
    const retryAfter = Number(open.headers.get('retry-after'));
    // Seen from the moment of its answer, in whole seconds.
    expect(next - seconds(retryAfter)).toBeGreaterThan(before - seconds(2));
    expect(next - seconds(retryAfter)).toBeLessThan(after + seconds(2));
    expect(await asked).toMatchObject({ status: 409, json: { action: 'wait' } });
    // The provider is well again, and nobody asks.
    await world.until('it is paid', async () => (await world.state(id)) === 'succeeded', seconds(90));
    const all = await sent('openPayment', id);
    expect(all).toHaveLength(5);
    expect(times(all).filter((at) => at < end)).toHaveLength(4);
    expect(keys(all).size).toBe(1);
    expectPauses(times(all).slice(0, 4), interactive);
    expect(times(all).at(-1)).toBeGreaterThan(next - seconds(2));
    expect(times(all).at(-1)).toBeLessThan(next + busy);
    expect((await ask(0, 0)).status).toBe(201);
    expect(await traces(world, id)).toEqual(paidOnce);
    expect(await moneyHeld(world, id)).toBe(1250);
  });

  it('is sent four times though workers are killed and runs are lost in between, since the ledger counts', async (context) => {
    const lane = await Lane.open(world, 'killed');
    context.onTestFinished(() => lane.close());
    await plan(world, lane.id, 'openPayment', unclear);
    const count = async (least: number) =>
      await world.until(`it is sent ${least} times`, async () => {
        const all = await sent('openPayment', lane.id);
        return all.length >= least && all;
      });
    const first = await lane.faulty('kill', 'never');
    await lane.start();
    await count(2);
    await first.kill();
    const second = await lane.faulty('kill', 'never');
    const [began] = times(await count(4)) as [number];
    await second.kill();
    // Temporal has lost it, and upkeep begins another run, on the queue of the world.
    await lane.workflow.terminate('A test.');
    await lane.settled(seconds(90));
    const all = await sent('openPayment', lane.id);
    expect(all).toHaveLength(5);
    expect(times(all).filter((at) => at < began + longestCallerWait - 500)).toHaveLength(4);
    expect(keys(all).size).toBe(1);
    // The death of a worker, and the loss of a run, take a moment to be noticed.
    expectPauses(times(all), interactive, seconds(15));
    expect(await traces(world, lane.id)).toEqual(paidOnce);
  });

  it('until the flow’s patience is over is found out about and undone, and never charged once that was told', async (context) => {
    const lane = await Lane.open(world, 'given-up');
    context.onTestFinished(() => lane.close());
    await claimedBefore(world, 'given_up', 'given-up%', checkoutFlow.patience - seconds(22));
    // The first request hangs at the provider, as in a network that delivers late; later ones find its key in use.
    await world.faults([
      { match: { operation: lane.id, path: calls.authorise }, fault: 'hold_before', outlivesClient: true },
      { match: { operation: lane.id, path: calls.authorise }, fault: '409', times: 100 },
    ]);
    await lane.healthy();
    await lane.start();
    await lane.settled(seconds(90));
    const { first, second } = await lane.answers();
    expect(first).toMatchObject({ status: 409, json: { code: 'compensated' } });
    expect(second.text).toBe(first.text);
    const authorised = await sent('authorise', lane.id);
    expect(authorised).toHaveLength(4);
    expect(keys(authorised).size).toBe(1);
    await releaseAll(world, lane.id);
    await sleepUntil(Date.now() + seconds(3));
    expect(await moneyHeld(world, lane.id)).toBe(0);
    expect(await sent('authorise', lane.id)).toHaveLength(4);
    expect(await traces(world, lane.id)).toEqual({
      effects: ['canceled', 'created'],
      state: 'compensated',
      status: 409,
      orders: ['released'],
      receipts: 0,
    });
  });

  it('in the background is asked again in the pauses that its flow declares', async () => {
    const { json } = await world.checkout('booked', {}, { headers: { prefer: 'wait=30' } });
    const path = `/v1/payment_intents/${json.paymentIntent}$`;
    await world.faults([{ match: { method: 'GET', path }, fault: 'garble', times: 2 }]);
    const event = chargeEvent(json, world.tenants.alpha);
    expect((await deliver(world, event)).status).toBeLessThan(300);
    const asked = async () => {
      const query = new URLSearchParams({ path: `/v1/payment_intents/${json.paymentIntent}` });
      const all = (await (await fetch(`${world.sandbox.address}/_requests?${query}`)).json()) as Sent[];
      return all.filter(({ method }) => method === 'GET');
    };
    const all = await world.until(
      'it is asked a third time',
      async () => (await asked()).length >= 3 && asked(),
      90_000,
    );
    expectPauses(times(all), booksFlow.retries as RetrySchedule);
    await world.until('it is booked', async () => {
      const rows = await world.sql(`select 1 from hapax.money_fact where order_id = $1`, json.orderId);
      return rows.length > 0;
    });
  });
});
