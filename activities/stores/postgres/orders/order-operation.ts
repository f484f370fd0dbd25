import type { Database } from '../database.ts';

const text = 'select operation_id from customer_order where id = $1';

/** @returns the operation that has made an order of the tenant */
export async function orderOperation(database: Database, tenant: string, order: string): Promise<string | undefined> {
  const [rows] = await database.flush(tenant, { name: 'order_operation', text, values: [order] });
  return rows?.[0]?.operation_id as string | undefined;
}
