import type { UndoCall } from '../../../../workflows/operation/call.ts';
import type { Row, Statement } from '../database.ts';
import { enter } from './enter.ts';

type Undoing =
  | { readonly kind: 'undone' }
  | {
      readonly kind: 'undo';
      readonly attempt: number;
      readonly epoch: number;
      readonly undoEpoch: number;
      readonly request: unknown;
      /** null if the step was sent and nobody knows what became of it. */
      readonly result: unknown;
      /** Since the step was first sent. Milliseconds. */
      readonly age: number;
    };

const text = `
update step set state = 'undoing', attempt = attempt + 1
where operation_id = $1 and name = $2 and state <> 'undone'
returning position, attempt, epoch, undo_epoch, request, result, extract(epoch from now() - sent_at) * 1000 as age`;

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
    epoch: row.epoch as number,
    undoEpoch: row.undo_epoch as number,
    request: row.request,
    result: row.result,
    age: Number(row.age),
  };
}
