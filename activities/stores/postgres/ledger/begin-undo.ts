import type { UndoCall } from '../../../../workflows/operation/call.ts';
import type { StepState } from '../../../../workflows/operation/state.ts';
import type { Row, Statement } from '../database.ts';
import { enter } from './enter.ts';

type Undoing =
  | { readonly kind: 'undone' }
  | {
      readonly kind: 'undo';
      readonly attempt: number;
      /** How often the undo was sent, with this try. */
      readonly sends: number;
      readonly epoch: number;
      readonly undoEpoch: number;
      readonly request: unknown;
      /** null if the step was sent and nobody knows what became of it. */
      readonly result: unknown;
      /** Since the step was first sent. Milliseconds. */
      readonly age: number;
      /** The step's state before this try: `undoing` if there was one before. */
      readonly before: StepState;
    };

/** A statement sees the rows as they were when it began, so the inner one finds the state before. */
const text = `
update step set state = 'undoing', attempt = attempt + 1, undo_attempt = undo_attempt + 1
where operation_id = $1 and name = $2 and state <> 'undone'
returning position, attempt, undo_attempt, epoch, undo_epoch, request, result, extract(epoch from now() - sent_at) * 1000 as age,
  (select before.state from step before where before.operation_id = $1 and before.name = $2) as before`;

export function beginUndo(call: UndoCall): Statement[] {
  return [
    ...enter(call, { kind: 'undo' }, call.carry),
    { name: 'begin_undo', text, values: [call.operation.id, call.step] },
  ];
}

export function undoing(rows: readonly Row[] | undefined): Undoing & { readonly position: number } {
  const row = rows?.[0];
  if (row === undefined) return { kind: 'undone', position: 0 };
  return {
    kind: 'undo',
    position: row.position as number,
    attempt: row.attempt as number,
    sends: row.undo_attempt as number,
    epoch: row.epoch as number,
    undoEpoch: row.undo_epoch as number,
    request: row.request,
    result: row.result,
    age: Number(row.age),
    before: row.before as StepState,
  };
}
