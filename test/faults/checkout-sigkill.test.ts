import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';
import { eachAtOnce } from '../support/each-at-once.ts';
import { Lane } from '../support/lane.ts';
import { expectEqualAnswers, paidOnce, stockOf, traces } from '../support/one-checkout.ts';
import { World } from '../support/world.ts';

/** From the death of the worker to the settled row, by another one. */
const recovery = 5_000;

const boundaries = ['before-effect', 'after-effect', 'after-record'] as const;

describe('a worker that dies with SIGKILL in a checkout', () => {
  let world: World;
  const died = new Map<string, { lane: Lane; took: number }>();
  const points = [
    'take:after-record',
    ...Object.keys(checkoutFlow.steps).flatMap((step) => boundaries.map((boundary) => `${step}:${boundary}`)),
  ];

  beforeAll(async () => {
    world = await World.create(inject('ground'), { workers: 0, upkeep: false });
    await eachAtOnce(4, points, async (point) => {
      const lane = await Lane.open(world, point);
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
    console.log(
      `Recovery from SIGKILL, ms: ${[...died].map(([point, { took }]) => `${point} ${Math.max(took, 0)}`).join(', ')}`,
    );
  }, 120_000);
  afterAll(() => world.close());

  it.each(points)('at %s is replaced: the checkout is paid once, within 5 s', async (point) => {
    const { lane, took } = died.get(point) as { lane: Lane; took: number };
    expect(await traces(world, lane.id)).toEqual(paidOnce);
    expect(took).toBeLessThan(recovery);
    await expectEqualAnswers(lane, 201);
    const steps = await world.sql('select distinct state from hapax.step where operation_id = $1', lane.id);
    expect(steps).toEqual([{ state: 'done' }]);
  });

  it('has taken each mug from the stock once', async () => {
    expect(await stockOf(world)).toBe(1_000_000 - points.length);
  });
});
