import type { CompensationPlan, Ending, Finished, Hold, OperationRef } from '../../../../workflows/operation/call.ts';
import type { StepState } from '../../../../workflows/operation/state.ts';
import type { Database, Statement } from '../database.ts';
import { enter } from './enter.ts';

const turn = 'select turn_to_compensating($1, $2, $3) as ending';

/** The steps that may have happened, newest first, and which of them an earlier run has undone. */
const undos = `
select name as step, state from step
where operation_id = $1 and state in ('sent', 'unknown', 'done', 'undoing', 'undone', 'undo_failed')
order by position desc`;

/** Not so for cancel, patience and bugs. A wait that has expired is a refusal. */
function isRefusal({ state }: Ending): boolean {
  return state === 'refused' || state === 'expired';
}

/**
 * Turns the operation to its undos, unless something that may have happened forbids that. The first ending stays. Run
 * it while the operation's row is locked.
 */
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
    ...enter(held, { kind: 'record' }, carry),
    turnToCompensating(held.operation, ending),
    { name: 'steps_to_undo', text: undos, values: [id] },
  );
  const [turned, steps] = rows.slice(-2);
  const standing = (turned?.[0]?.ending ?? null) as Ending | null;
  if (standing === null) return { kind: 'forward' };
  return {
    kind: 'undo',
    ending: standing,
    steps: (steps ?? []).map((one) => ({ step: one.step as string, state: one.state as StepState })),
  };
}
