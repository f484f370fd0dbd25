import type { Ending, OperationRef, Taken } from '../../../../workflows/operation/call.ts';
import type { OpenState, SettledState } from '../../../../workflows/operation/state.ts';
import type { Database } from '../database.ts';
import { LedgerFault } from '../ledger-fault.ts';

const text = `
select taken, state, fence, request, request_id, ending, deadline_ms, age_ms, forward, done from take_over($1, $2)`;

/**
 * A take-over as a transaction of its own. A run that held the operation before can no longer write.
 * @returns what the ledger knows of the operation, or that it has settled
 */
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
    deadline: row.deadline_ms === null ? null : Number(row.deadline_ms),
    ending: row.ending as Ending | null,
    age: Number(row.age_ms),
    forward: row.forward as boolean,
    done: row.done as Record<string, unknown>,
  };
}
