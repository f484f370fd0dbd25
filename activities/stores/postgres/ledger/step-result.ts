import type { OperationRef, StepCall } from '../../../../workflows/operation/call.ts';
import type { Database } from '../database.ts';

const text = `select result from step where operation_id = $1 and name = $2 and state = 'done'`;

/** The result of a step that is done. */
export async function stepResult(
  database: Database,
  { operation, step }: Pick<StepCall, 'step'> & { readonly operation: Pick<OperationRef, 'id' | 'tenant'> },
): Promise<unknown> {
  const [rows] = await database.flush(operation.tenant, { name: 'step_result', text, values: [operation.id, step] });
  return rows?.[0]?.result;
}
