import type { Database } from '../database.ts';

export type WorkInHand = {
  /** Operations that workers are working on or that wait for a worker, by tenant. */
  readonly operations: ReadonlyMap<string, number>;
  /** The median wait of those that nobody has started. Milliseconds. */
  readonly waited: number;
};

/** A function of the ledger (0014_work_in_hand.sql), since a tenant's rows are hidden from the others. */
const text = 'select tenant, operations, waited from work_in_hand()';

/** @throws LedgerFault */
export async function workInHand(database: Database): Promise<WorkInHand> {
  const rows = await database.alone({ name: 'work_in_hand', text, values: [] });
  return {
    operations: new Map(rows.map(({ tenant, operations }) => [tenant as string, operations as number])),
    waited: Number(rows[0]?.waited ?? 0),
  };
}
