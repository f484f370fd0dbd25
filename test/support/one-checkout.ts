import { expect } from 'vitest';
import { effectsOfOperations, paidOnce as paid } from '../conformance/effects.ts';
import type { Lane } from './lane.ts';
import type { World } from './world.ts';

/** What an operation has left outside, counted at each system, and how it ended. */
export async function traces(world: World, id: string) {
  const { orders, receipts, payments } = await effectsOfOperations(world, [id]);
  const [operation] = await world.sql<{ state: string; status: number | null }>(
    'select state, answer_status as status from hapax.operation where id = $1',
    id,
  );
  return { effects: inShort(payments), ...operation, orders, receipts };
}

/** Repeated calls may come in any order. */
function inShort(payments: readonly string[]): string[] {
  return payments.map((type) => type.replace('payment_intent.', '')).toSorted();
}

/** One payment, opened, confirmed and captured once; one paid order; one receipt. */
export const paidOnce = {
  effects: inShort(paid.payments),
  state: 'succeeded',
  status: 201,
  orders: paid.orders,
  receipts: paid.receipts,
};

/** Minor units that the provider holds for an operation: captured or still authorised, less what was given back. */
export async function moneyHeld(world: World, id: string): Promise<number> {
  let held = 0;
  for (const { type, amount } of await world.audit({ operation: id })) {
    // The audit's amount of a cancellation is what it released.
    if (type === 'payment_intent.confirmed') held += amount;
    if (type === 'payment_intent.canceled' || type === 'refund.created') held -= amount;
  }
  return held;
}

export async function expectEqualAnswers(lane: Lane, status: number): Promise<void> {
  const { first, second } = await lane.answers();
  expect({ status: first.status, text: second.text }).toEqual({ status, text: first.text });
}

export async function stockOf(world: World, sku = 'mug-blue'): Promise<number> {
  const [row] = await world.sql<{ stock: number }>(
    'select stock from hapax.catalogue_item where tenant = $1 and sku = $2',
    world.tenants.alpha,
    sku,
  );
  return row?.stock as number;
}
