import type { StepCall } from '../../../../workflows/operation/call.ts';
import { longestAskedPause } from '../../../../workflows/operation/retry-schedule.ts';
import type { Statement } from '../database.ts';
import { enter } from './enter.ts';

/**
 * The outside turned this try away. The step is as if it had not been sent, unless an earlier try is still in doubt. A
 * keyed step is then `unknown`. For a natural step the row does not tell, so only its first try counts. Only the
 * current try may record this.
 */
const away = `
update step set state = case when state = 'sent' and ($4 or attempt = 1) then 'planned' else state end,
  not_before = now() + $5 * interval '1 millisecond'
where operation_id = $1 and name = $2 and attempt = $3 and state in ('sent', 'unknown')`;

/** @param pause how long we leave the outside system alone, whatever starts the next try. Milliseconds */
export function turnedAway(call: StepCall, attempt: number, pause: number): Statement[] {
  const values = [call.operation.id, call.step, attempt, call.effect === 'keyed', pause];
  return [...enter(call, { kind: 'record' }), { name: 'turned_away', text: away, values }];
}

/**
 * Likewise, and the try gives back its token, which nothing that it does afterwards carries. Times that a clock which was
 * set back has left in the future are brought back to now.
 */
const notSent = `
update step set attempt = attempt - 1,
  last_sent_at = case when sent_before_at > now() then now() else sent_before_at end,
  not_before = case when not_before > now() + $5 * interval '1 millisecond' then now() else not_before end,
  state = case when state = 'sent' and ($4 or attempt = 1) then 'planned' else state end
where operation_id = $1 and name = $2 and attempt = $3 and state in ('sent', 'unknown')`;

/**
 * Our own guard turned this try away, so nothing reached the outside. `attempt` then counts what was sent, and the next try is
 * the first one if none was sent before.
 */
export function notTried(call: StepCall, attempt: number): Statement[] {
  return [
    ...enter(call, { kind: 'record' }),
    {
      name: 'not_tried',
      text: notSent,
      values: [call.operation.id, call.step, attempt, call.effect === 'keyed', longestAskedPause],
    },
  ];
}
