import type { Finished, Hold } from '../../../../workflows/operation/call.ts';
import type { StepDeclaration } from '../../../../workflows/operation/step-declaration.ts';
import type { Statement } from '../database.ts';

type Step = `${StepDeclaration['effect']} step`;

export type Entering = Step | `${Step} of no return` | 'proceed' | 'wait' | 'undo' | 'settle';

/**
 * What each ledger transaction of a run begins with: the fence, then the steps that have ended since the last one.
 * @param entered the step that is to be tried: one whose effect rides behind is refused when it is done already
 */
export function hold(
  { operation, fence }: Hold,
  entering: Entering,
  carry: readonly Finished[],
  entered: string | null = null,
): Statement[] {
  const held: Statement = {
    name: 'hold',
    text: 'select hold($1, $2, $3, $4)',
    values: [operation.id, fence, entering, entered],
  };
  return carry.length === 0 ? [held] : [held, recordSteps({ operation, fence }, carry)];
}

/**
 * A step in doubt whose row was never sent has had no effect: it has failed. Only the try whose token the row carries may say that a step failed; 0 speaks for a step whatever its try. That it is
 * done is true whichever try learnt it: they share the downstream key.
 */
const record = `
insert into step (operation_id, tenant, name, position, state, attempt, result, refusal, ended_at)
select $1, $2, step, position,
  case when state = 'unknown' and not exists (
    select from step begun where begun.operation_id = $1 and begun.name = ended.step and begun.state in ('sent', 'unknown'))
  then 'failed' else state end,
  attempt, result, refusal, now()
from jsonb_to_recordset($3::jsonb)
  as ended (step text, position integer, state text, attempt integer, result jsonb, refusal jsonb)
on conflict (operation_id, name) do update
set state = excluded.state, refusal = excluded.refusal,
    -- What is told again, with each failed try of a later step, has not ended again.
    ended_at = case when step.state = excluded.state then step.ended_at else now() end,
    result = coalesce(excluded.result, step.result)
where excluded.attempt in (0, step.attempt)
   or (excluded.state = 'done' and excluded.attempt < step.attempt and step.state in ('sent', 'unknown'))`;

export function recordSteps({ operation }: Hold, ended: readonly Finished[]): Statement {
  return { name: 'record_steps', text: record, values: [operation.id, operation.tenant, JSON.stringify(ended)] };
}
