import { expect } from 'vitest';
import type { Lane } from './lane.ts';
import type { World } from './world.ts';

/** What an operation has left outside, counted at each system. */
export async function traces(world: World, id: string) {
  const effects = (await world.audit({ operation: id })).map(({ type }) => type.replace('payment_intent.', ''));
  const [operation] = await world.sql<{ state: string; status: number | null }>(
    'select state, answer_status as status from hapax.operation where id = $1',
    id,
  );
  const orders = await world.sql<{ state: string }>(
    'select state from hapax.customer_order where operation_id = $1',
    id,
  );
  const receipts = await world.sql('select from hapax.outbox where operation_id = $1', id);
  return {
    effects: effects.toSorted(),
    ...operation,
    orders: orders.map(({ state }) => state),
    receipts: receipts.length,
  };
}

/** One payment, opened, confirmed and captured once; one paid order; one receipt. */
export const paidOnce = {
  effects: ['captured', 'confirmed', 'created'],
  state: 'succeeded',
  status: 201,
  orders: ['paid'],
  receipts: 1,
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
