import type { OperationRef } from '../../../../workflows/operation/call.ts';
import type { Statement } from '../database.ts';

/**
 * The first take-over of an operation, in the transaction of its first step. It is refused as `held-before` if any run
 * has held the operation, or if patience has ended.
 * @param patience milliseconds since the claim
 */
export function openOperation({ id }: OperationRef, run: string, patience: number): Statement {
  return { name: 'open_operation', text: 'select open_operation($1, $2, $3)', values: [id, run, patience] };
}
