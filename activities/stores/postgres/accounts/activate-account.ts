import { messageId } from '../../../../workflows/operation/key.ts';
import type { Statement } from '../database.ts';

/** Makes the account that its address has confirmed, and tells others. A repetition changes nothing. */
const text = `
with active as (
  update account set state = 'active', verified_at = now() where operation_id = $1 and state = 'unverified'
  returning id, operation_id
)
select step_done($1, $2, null) as done
from active, lateral tell($3, operation_id, 'event', 'account', id, 'account.created', jsonb_build_object('account', id)) as told
where told is not null`;

export function activateAccount(operation: string, step: string): Statement {
  return { name: 'activate_account', text, values: [operation, step, messageId(operation, 'account.created')] };
}
