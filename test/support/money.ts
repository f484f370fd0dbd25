import { expect } from 'vitest';
import type { World } from './world.ts';

type Payment = { readonly orderId: string; readonly paymentIntent: string };

/**
 * What our own books say of an order's money, in minor units by kind of fact. The provider's book, the order and its refunds
 * have to say the same.
 */
export async function moneyOf(world: World, { orderId, paymentIntent }: Payment): Promise<Record<string, number>> {
  const facts = await world.sql<{ kind: string; sum: string }>(
    `select kind, sum(amount_minor) from hapax.money_fact where order_id = $1 group by kind`,
    orderId,
  );
  const ours = Object.fromEntries(facts.map(({ kind, sum }) => [kind, Number(sum)]));
  const effects = (await world.audit()).filter((effect) => effect.paymentIntent === paymentIntent);
  const theirs = (...types: readonly string[]) =>
    effects.filter(({ type }) => types.includes(type)).reduce((sum, { amount }) => sum + amount, 0);
  expect([ours.captured ?? 0, ours.refunded ?? 0, ours.refund_failed ?? 0]).toEqual([
    theirs('payment_intent.captured'),
    // One that is pending is booked when it is asked for.
    theirs('refund.created', 'refund.pending'),
    theirs('refund.failed', 'refund.dropped'),
  ]);
  const [order] = await world.sql('select given_back_minor from hapax.customer_order where id = $1', orderId);
  expect(Number(order?.given_back_minor)).toBe((ours.refunded ?? 0) - (ours.refund_failed ?? 0));
  const balances = await world.sql<{ sum: string }>(
    'select sum(balance_minor) from hapax.money_balance group by tenant, environment, currency',
  );
  for (const { sum } of balances) expect(Number(sum)).toBe(0);
  return ours;
}
