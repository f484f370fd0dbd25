import type { StepCall, UndoCall } from '../../../../workflows/operation/call.ts';
import type { Statement } from '../database.ts';
import { enter } from './enter.ts';

/**
 * Gives a step a new downstream key. The former one is proven to have had no effect, and the provider would replay its
 * stored failure for ever. Only the current try may do this.
 */
const text = `
update step set epoch = epoch + 1, sent_at = now(), state = 'planned'
where operation_id = $1 and name = $2 and attempt = $3 and epoch = $4 and state in ('sent', 'unknown')`;

export function nextEpoch(call: StepCall, attempt: number, epoch: number): Statement[] {
  return [
    ...enter(call, { kind: 'record' }),
    { name: 'next_epoch', text, values: [call.operation.id, call.step, attempt, epoch] },
  ];
}

const undoText = `
update step set undo_epoch = undo_epoch + 1
where operation_id = $1 and name = $2 and attempt = $3 and undo_epoch = $4`;

/** Likewise for an undo. */
export function nextUndoEpoch(call: UndoCall, attempt: number, undoEpoch: number): Statement[] {
  return [
    ...enter(call, { kind: 'undo' }),
    { name: 'next_undo_epoch', text: undoText, values: [call.operation.id, call.step, attempt, undoEpoch] },
  ];
}
