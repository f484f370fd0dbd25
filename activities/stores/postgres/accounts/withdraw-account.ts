import type { Statement } from '../database.ts';

/** The address is free again. An account that was confirmed stays. */
const text = `delete from account where operation_id = $1 and state = 'unverified'`;

export function withdrawAccount(operation: string): Statement {
  return { name: 'withdraw_account', text, values: [operation] };
}
