import type { StepCall } from '../../../../workflows/operation/call.ts';
import type { Statement } from '../database.ts';
import { enter } from './enter.ts';

/**
 * The outside turned this try away: the step is as if it had not been sent, unless an earlier try is still in doubt.
 * Only the current try may say so.
 */
const text = `
update step set state = 'planned'
where operation_id = $1 and name = $2 and attempt = $3 and state = 'sent'`;

export function unsent(call: StepCall, attempt: number): Statement[] {
  return [
    ...enter(call, { kind: 'record' }),
    { name: 'unsent', text, values: [call.operation.id, call.step, attempt] },
  ];
}
