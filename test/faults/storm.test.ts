import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { operationId } from '../../workflows/operation/key.ts';
import { checkoutScope } from '../support/lane.ts';
import { moneyHeld, paidOnce, stockOf, traces } from '../support/one-checkout.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { type Answered, World } from '../support/world.ts';

const checkouts = 48;
/** Long enough for work to be under way again, short enough that nobody gets through in peace. Milliseconds. */
const between = 1_300;
const kills = 6;
const seed = 20_260_611;

describe('a storm', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { workers: 2, doors: 2, env: { HAPAX_ANSWER_CACHE: '0' } });
  });
  afterAll(() => world.close());

  it('of killed workers, a faulty provider, cancels and repeated requests leaves each checkout with one end', async () => {
    const random = seededRandom(seed);
    const oneOf = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
    const faults = ['drop_before', 'drop_after', 'reset_after', '500_before', '500_after', 'garble', '409', '429'];
    const paths = ['/v1/payment_intents$', '[^/]+/confirm$', '[^/]+/capture$', '[^/]+/cancel$', '/v1/refunds$'];
    await world.faults(
      Array.from({ length: 60 }, () => ({
        match: { path: oneOf(paths) },
        fault: oneOf(faults),
        after: Math.floor(random() * 4),
      })),
    );
    const carts = Array.from({ length: checkouts }, (_, n) => ({
      key: `storm-${n}`,
      id: operationId(checkoutScope(world, `storm-${n}`), 1),
      declined: random() < 0.25,
      cancelled: random() < 0.25,
    }));
    const settled = async (key: string, changes: object): Promise<Answered> =>
      await world.until(
        `${key} has an answer`,
        async () => {
          const door = oneOf([0, 1]);
          const told = await world.checkout(key, { ...changes }, { door, headers: { prefer: 'wait=5' } });
          return [201, 402].includes(told.status) || told.json.code === 'cancelled' ? told : undefined;
        },
        60_000,
      );
    const asked = carts.map(async ({ key, id, declined, cancelled }) => {
      const changes = declined ? { paymentMethod: 'pm_card_visa_chargeDeclined' } : {};
      await new Promise((resolve) => setTimeout(resolve, random() * kills * between));
      const twice = [settled(key, changes), settled(key, changes)];
      if (cancelled) {
        await new Promise((resolve) => setTimeout(resolve, random() * 400));
        await world.ask('POST', `/v1/operations/${id}/cancel`);
      }
      return await Promise.all(twice);
    });
    const starting: Promise<unknown>[] = [];
    for (let n = 0; n < kills; n += 1) {
      await new Promise((resolve) => setTimeout(resolve, between));
      const [victim] = world.running('workers/operations.ts');
      await victim?.kill();
      starting.push(world.start('workers/operations.ts'));
    }
    await Promise.all(starting);
    const answers = await Promise.all(asked);
    let sold = 0;
    const ends: Record<string, number> = {};
    for (const [n, { id, declined, cancelled }] of carts.entries()) {
      const [first, second] = answers[n] as [Answered, Answered];
      expect(second.text).toBe(first.text);
      const { effects, ...ours } = await traces(world, id);
      const end = ours.state as string;
      ends[end] = (ends[end] ?? 0) + 1;
      // Faults delay; only a bank or a buyer decides.
      expect([declined ? 'refused' : 'succeeded', ...(cancelled ? ['cancelled'] : [])]).toContain(end);
      const count = (type: string) => effects.filter((effect) => effect === type).length;
      if (end === 'succeeded') {
        sold += 1;
        const { effects: _, ...paid } = paidOnce;
        expect(ours).toEqual(paid);
        expect([count('confirmed'), count('captured'), count('canceled')]).toEqual([1, 1, 0]);
        expect(await moneyHeld(world, id)).toBe(1250);
      } else {
        expect(ours.receipts).toBe(0);
        expect(ours.orders).not.toContain('paid');
        expect(ours.orders).not.toContain('pending');
        expect(count('captured')).toBe(0);
        expect(await moneyHeld(world, id)).toBe(0);
      }
    }
    console.log(`The storm ended as ${JSON.stringify(ends)}`);
    expect(await stockOf(world)).toBe(1_000_000 - sold);
  }, 240_000);
});
