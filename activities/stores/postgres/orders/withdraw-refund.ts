import type { Statement } from '../database.ts';

/** Gives up a refund that was not made. It happens once. */
const text = `
update order_refund set state = 'withdrawn', ended_at = now() where operation_id = $1 and state = 'asked'`;

export function withdrawRefund(operation: string): Statement {
  return { name: 'withdraw_refund', text, values: [operation] };
}
