import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { eachAtOnce } from '../support/each-at-once.ts';
import { Lane } from '../support/lane.ts';
import { expectEqualAnswers, moneyHeld, stockOf, traces } from '../support/one-checkout.ts';
import { World } from '../support/world.ts';

/** From the death of the worker to the settled row, by another one. */
const recovery = 5_000;
const declining = { paymentMethod: 'pm_card_visa_chargeDeclined' };

/** Every line that the undoing of a declined checkout passes. */
const points = [
  'compensate:before-record',
  'compensate:after-record',
  'openPayment.undo:before-effect',
  'openPayment.undo:after-effect',
  'openPayment.undo:after-record',
  'reserve.undo:before-effect',
  'reserve.undo:after-effect',
  'reserve.undo:after-record',
  'settle:before-record',
  'settle:after-record',
];

describe('a worker that dies with SIGKILL while it undoes a declined checkout', () => {
  let world: World;
  const died = new Map<string, { lane: Lane; took: number }>();

  beforeAll(async () => {
    world = await World.create(inject('ground'), { workers: 0, upkeep: false });
    await eachAtOnce(3, points, async (point) => {
      const lane = await Lane.open(world, point, declining);
      try {
        const victim = await lane.faulty('kill', point);
        await lane.start();
        await victim.gone();
        const at = Date.now();
        await lane.healthy();
        died.set(point, { lane, took: (await lane.settled()) - at });
      } finally {
        await lane.close();
      }
    });
    const took = [...died].map(([point, one]) => `${point} ${Math.max(one.took, 0)}`);
    console.log(`Recovery from SIGKILL while undoing, ms: ${took.join(', ')}`);
  }, 120_000);
  afterAll(() => world.close());

  it.each(points)('at %s is replaced: everything is given back once, and the refusal is the answer', async (point) => {
    const { lane, took } = died.get(point) as { lane: Lane; took: number };
    expect(await traces(world, lane.id)).toEqual({
      effects: ['canceled', 'created', 'declined'],
      state: 'refused',
      status: 402,
      orders: ['released'],
      receipts: 0,
    });
    expect(took).toBeLessThan(recovery);
    const { first } = await lane.answers();
    expect(first.json).toMatchObject({ code: 'card-declined', undone: ['openPayment', 'reserve'] });
    await expectEqualAnswers(lane, 402);
    expect(await moneyHeld(world, lane.id)).toBe(0);
  });

  it('has put each mug back once', async () => {
    expect(await stockOf(world)).toBe(1_000_000);
  });
});
