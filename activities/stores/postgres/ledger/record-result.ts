import type { StepCall } from '../../../../workflows/operation/call.ts';
import type { Statement } from '../database.ts';

/** Marks where a step's own writes begin, so that a refusal can take them back and keep what stands before. */
export const markEffect: Statement = { name: 'mark_effect', text: 'savepoint effect', values: [] };

export const dropEffect: Statement = { name: 'drop_effect', text: 'rollback to savepoint effect', values: [] };

/** The step is done, in the transaction that holds its effect. */
export function recordResult({ operation, step }: StepCall, result: unknown): Statement {
  const text = 'select step_done($1, $2, $3::jsonb)';
  return { name: 'record_result', text, values: [operation.id, step, JSON.stringify(result ?? null)] };
}
