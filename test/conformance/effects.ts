import type { World } from '../support/world.ts';

/** What came of a request, counted where it counts: rows of the ledger and the shop, and the provider's own book. */
type Effects = {
  readonly operations: number;
  /** States of the orders, in the order in which they were made. */
  readonly orders: readonly string[];
  readonly receipts: number;
  readonly payments: readonly string[];
};

export const nothing: Effects = { operations: 0, orders: [], receipts: 0, payments: [] };

export const paidOnce: Effects = {
  operations: 1,
  orders: ['paid'],
  receipts: 1,
  payments: ['payment_intent.created', 'payment_intent.confirmed', 'payment_intent.captured'],
};

/** Everything that a key has led to, in whichever tenant, environment and generation. */
export async function effectsOf(world: World, key: string): Promise<Effects> {
  const rows = await world.sql<{ id: string }>('select id from hapax.operation where key = $1', key);
  return await effectsOfOperations(
    world,
    rows.map(({ id }) => id),
  );
}

/** Everything that has happened in this world: for requests that must leave no trace under any name. */
export async function allEffects(world: World): Promise<Effects> {
  return await effectsOfOperations(world, undefined);
}

/** @param ids all operations of this world, where none are given */
export async function effectsOfOperations(world: World, ids: readonly string[] | undefined): Promise<Effects> {
  const [operations, orders, receipts, audit] = await Promise.all([
    world.sql('select id from hapax.operation where $1::text[] is null or id = any($1)', ids),
    world.sql<{ state: string }>(
      'select state from hapax.customer_order where $1::text[] is null or operation_id = any($1) order by created_at',
      ids,
    ),
    world.sql('select id from hapax.outbox where $1::text[] is null or operation_id = any($1)', ids),
    // Of one operation alone the sandbox need not send its whole book, which storms make long.
    world.audit(ids?.length === 1 ? { operation: ids[0] as string } : {}),
  ]);
  return {
    operations: operations.length,
    orders: orders.map(({ state }) => state),
    receipts: receipts.length,
    payments: audit
      .filter(({ operation }) => ids === undefined || (operation !== null && ids.includes(operation)))
      .map(({ type }) => type),
  };
}
