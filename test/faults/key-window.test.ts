import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Lane } from '../support/lane.ts';
import { moneyHeld, paidOnce, traces } from '../support/one-checkout.ts';
import { calls } from '../support/provider-faults.ts';
import { harmedAt } from '../support/recovery.ts';
import { World } from '../support/world.ts';

/** Stripe forgets a key after 24 h at the earliest: from then on it would open, confirm or capture once more. */
const window = '25 hours';

describe('a step that was sent so long ago that the provider has forgotten its key', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { workers: 0, upkeep: false, env: { HAPAX_ANSWER_CACHE: '0' } });
  });
  afterAll(() => world.close());

  /** A worker died after the effect, and nobody came back for a day. */
  async function forgotten(step: string): Promise<Lane> {
    const lane = await Lane.open(world, `forgotten-${step}`);
    await harmedAt(lane, 'kill', `${step}:after-effect`);
    await world.sql('update hapax.step set sent_at = sent_at - $2::interval where operation_id = $1', lane.id, window);
    return lane;
  }

  async function posts(lane: Lane, call: keyof typeof calls): Promise<number> {
    const sent = await (await fetch(`${world.sandbox.address}/_requests?operation=${lane.id}`)).json();
    return (sent as Sent[]).filter(({ method, path }) => method === 'POST' && new RegExp(calls[call]).test(path))
      .length;
  }

  it.each(['authorise', 'capture'] as const)('is looked up, and not sent again: %s', async (step) => {
    const lane = await forgotten(step);
    try {
      // More than one where the provider was late with its first answer.
      const before = await posts(lane, step);
      expect(before).toBeGreaterThan(0);
      await lane.healthy();
      await lane.settled();
      expect(await traces(world, lane.id)).toEqual(paidOnce);
      expect(await posts(lane, step)).toBe(before);
      expect(await moneyHeld(world, lane.id)).toBe(1250);
    } finally {
      await lane.close();
    }
  });

  it('is searched for where nobody knows its id: opening a payment', async (context) => {
    const lane = await forgotten('openPayment');
    context.onTestFinished(() => lane.close());
    const before = await posts(lane, 'openPayment');
    await world.sandboxControl('POST', 'settings', { searchLagMs: 0 });
    await lane.healthy();
    await lane.settled();
    await world.sandboxControl('POST', 'settings', { searchLagMs: 60_000 });
    expect(await traces(world, lane.id)).toEqual(paidOnce);
    expect(await posts(lane, 'openPayment')).toBe(before);
  });

  it('is opened anew where the search has not seen it yet, and only one payment takes money', async (context) => {
    const lane = await forgotten('openPayment');
    context.onTestFinished(() => lane.close());
    await lane.healthy();
    await lane.settled();
    const { effects, ...ours } = await traces(world, lane.id);
    expect({ ...ours, effects }).toEqual({ ...paidOnce, effects: ['captured', 'confirmed', 'created', 'created'] });
    expect(await moneyHeld(world, lane.id)).toBe(1250);
  });
});

type Sent = { readonly method: string; readonly path: string };
