import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { expectEqualAnswers, moneyHeld, stockOf, traces } from '../support/one-checkout.ts';
import { fastest, killedAt, type Recovered, recoveriesAt, recoveryWithin } from '../support/recovery.ts';
import { World } from '../support/world.ts';

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
  let recoveries: ReadonlyMap<string, readonly Recovered[]>;

  beforeAll(async () => {
    world = await World.create(inject('ground'), { workers: 0, upkeep: false });
    recoveries = await recoveriesAt(points, (point) => killedAt(world, point, declining));
    const took = points.map((point) => `${point} ${fastest(recoveries.get(point) ?? [])}`);
    console.log(`Recovery from SIGKILL while undoing, ms: ${took.join(', ')}`);
  }, 420_000);
  afterAll(() => world.close());

  it.each(points)('at %s is replaced: all is given back once, and the refusal is the answer', async (point) => {
    const at = recoveries.get(point) ?? [];
    for (const { lane } of at) {
      expect(await traces(world, lane.id)).toEqual({
        effects: ['canceled', 'created', 'declined'],
        state: 'refused',
        status: 402,
        orders: ['released'],
        receipts: 0,
      });
      const { first } = await lane.answers();
      expect(first.json).toMatchObject({ code: 'card-declined', undone: ['openPayment', 'reserve'] });
      await expectEqualAnswers(lane, 402);
      expect(await moneyHeld(world, lane.id)).toBe(0);
    }
    expect(fastest(at)).toBeLessThanOrEqual(recoveryWithin);
  });

  it('has put each mug back once', async () => {
    expect(await stockOf(world)).toBe(1_000_000);
  });
});
