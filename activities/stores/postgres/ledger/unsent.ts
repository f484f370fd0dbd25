import type { StepCall } from '../../../../workflows/operation/call.ts';
import type { Statement } from '../database.ts';
import { enter } from './enter.ts';

/**
 * The outside turned this try away. The step is as if it had not been sent, unless an earlier try is still in doubt. A
 * keyed step is then `unknown`. For a natural step the row does not tell, so only its first try counts. Only the
 * current try may record this.
 */
const text = `
update step set state = 'planned'
where operation_id = $1 and name = $2 and attempt = $3 and state = 'sent' and ($4 or attempt = 1)`;

export function unsent(call: StepCall, attempt: number): Statement[] {
  return [
    ...enter(call, { kind: 'record' }),
    { name: 'turned_away', text, values: [call.operation.id, call.step, attempt, call.effect === 'keyed'] },
  ];
}
