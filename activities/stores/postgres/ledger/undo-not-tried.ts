import type { UndoCall } from '../../../../workflows/operation/call.ts';
import type { StepState } from '../../../../workflows/operation/state.ts';
import type { Statement } from '../database.ts';
import { enter } from './enter.ts';

/** Only the current try may record this. */
const text = `
update step set state = $4, attempt = attempt - 1, undo_attempt = undo_attempt - 1
where operation_id = $1 and name = $2 and attempt = $3 and state = 'undoing'`;

/**
 * Our own guard turned this try of an undo away, so nothing reached the outside: the step is as it was before.
 * @param before its state when the try began
 */
export function undoNotTried(call: UndoCall, attempt: number, before: StepState): Statement[] {
  return [
    ...enter(call, { kind: 'undo' }),
    { name: 'undo_not_tried', text, values: [call.operation.id, call.step, attempt, before] },
  ];
}
