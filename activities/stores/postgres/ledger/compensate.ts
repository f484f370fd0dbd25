import type { CompensationPlan, Ending, Finished, Hold, OperationRef } from '../../../../workflows/operation/call.ts';
import type { StepState } from '../../../../workflows/operation/state.ts';
import type { Database, Statement } from '../database.ts';
import { hold } from './hold.ts';

/**
 * `running → compensating`, unless what may have happened stands against it: an irreversible step always, a step of no
 * return unless the outside has refused one behind it. The first ending stays.
 */
const turn = `
update operation set state = 'compensating', ending = coalesce(ending, $2), updated_at = now()
where id = $1 and not exists (
  select from step where operation_id = $1 and (irreversible or (no_return and not $3)) and state in ('sent', 'unknown', 'done'))
returning ending`;

/** What may have happened, and what of it a former run has undone, newest first. */
const undos = `
select name as step, state from step
where operation_id = $1 and state in ('sent', 'unknown', 'done', 'undoing', 'undone', 'undo_failed')
order by position desc`;

/** Cancel, patience and bugs end an operation otherwise; a wait that has expired is a refusal. */
function isRefusal({ state }: Ending): boolean {
  return state === 'refused' || state === 'expired';
}

export function turnToCompensating({ id }: OperationRef, ending: Ending): Statement {
  return { name: 'turn_to_compensating', text: turn, values: [id, ending, isRefusal(ending)] };
}

export async function compensate(
  database: Database,
  held: Hold,
  carry: readonly Finished[],
  ending: Ending,
): Promise<CompensationPlan> {
  const { id, tenant } = held.operation;
  const rows = await database.flush(
    tenant,
    ...hold(held, 'settle', carry),
    turnToCompensating(held.operation, ending),
    { name: 'steps_to_undo', text: undos, values: [id] },
  );
  const [turned, steps] = rows.slice(-2);
  const row = turned?.[0];
  if (row === undefined) return { kind: 'forward' };
  return {
    kind: 'undo',
    ending: row.ending as Ending,
    steps: (steps ?? []).map((one) => ({ step: one.step as string, state: one.state as StepState })),
  };
}
