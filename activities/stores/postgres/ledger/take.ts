import type { Ending, OperationRef, Taken } from '../../../../workflows/operation/call.ts';
import type { OpenState, SettledState } from '../../../../workflows/operation/state.ts';
import type { Database } from '../database.ts';
import { LedgerFault } from '../ledger-fault.ts';

/**
 * A take-over: whoever held the operation before cannot write any more. Patience counts from the claim; that of a story
 * that waits for its caller from what has last been done, since the caller's time is not ours.
 */
const text = `
with taken as (
  update operation
  set fence = fence + 1, run_id = $2, updated_at = now(),
      state = case state when 'claimed' then 'running' else state end
  where id = $1 and settled_at is null
  returning *
)
select true as taken, state, fence, request, request_id, ending, extract(epoch from deadline) * 1000 as deadline,
  extract(epoch from now() - case
    when deadline is null then created_at
    else greatest(created_at, (select max(ended_at) from step where operation_id = $1 and state = 'done')) end) * 1000 as age,
  no_return_at is not null as forward,
  (select coalesce(jsonb_object_agg(name, result), '{}') from step where operation_id = $1 and state = 'done') as done
from taken
union all
select false, state, fence, null, null, null, null, null, null, null from operation
where id = $1 and not exists (select from taken)`;

/** A take-over as a move of its own. @returns what the ledger knows, or that there is nothing left to do */
export async function take(database: Database, operation: OperationRef, run: string): Promise<Taken> {
  const [rows] = await database.flush(operation.tenant, { name: 'take', text, values: [operation.id, run] });
  const row = rows?.[0];
  if (row === undefined) throw new LedgerFault('missing', `operation ${operation.id} is not in the ledger`);
  if (row.taken === false) return { kind: 'settled', state: row.state as SettledState };
  return {
    kind: 'taken',
    state: row.state as OpenState,
    fence: Number(row.fence),
    request: row.request as Record<string, unknown>,
    requestId: row.request_id as string,
    deadline: row.deadline === null ? null : Number(row.deadline),
    ending: row.ending as Ending | null,
    age: Number(row.age),
    forward: row.forward as boolean,
    done: row.done as Record<string, unknown>,
  };
}
