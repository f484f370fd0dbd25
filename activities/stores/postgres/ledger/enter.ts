import type { Finished, Hold } from '../../../../workflows/operation/call.ts';
import type { StepDeclaration } from '../../../../workflows/operation/step-declaration.ts';
import type { Statement } from '../database.ts';

/** What a ledger transaction of a run is about to do, and what it needs for that. */
export type Entering =
  | {
      /** Try a step. If its effect follows in the same flush, a step that is already done is refused. */
      readonly kind: 'step';
      readonly step: string;
      readonly effect: StepDeclaration['effect'];
      /** Once this is committed, neither a cancel nor the end of patience stops the story. */
      readonly noReturn: boolean;
    }
  /** Wait for the caller. */
  | { readonly kind: 'wait' }
  /** Undo a step. Only an operation that is compensating may. */
  | { readonly kind: 'undo' }
  /** Ask whether the run may go on. */
  | { readonly kind: 'proceed' }
  /** Record something, the end included. The fence alone decides. */
  | { readonly kind: 'record' };

/** What each ledger transaction of a run begins with: the fence, then the steps that have ended since the last one. */
export function enter({ operation, fence }: Hold, entering: Entering, carry: readonly Finished[] = []): Statement[] {
  const step = entering.kind === 'step' ? [entering.step, entering.effect, entering.noReturn] : [null, null, null];
  const entered: Statement = {
    name: 'enter',
    text: 'select enter($1, $2, $3, $4, $5, $6)',
    values: [operation.id, fence, entering.kind, ...step],
  };
  return carry.length === 0 ? [entered] : [entered, recordSteps({ operation, fence }, carry)];
}

/**
 * A step in doubt whose row was never sent has had no effect: it has failed. Only the try whose token the row carries
 * may say that a step failed; token 0 stands for any try. That a step is done holds whichever try learnt it, since all
 * tries share the downstream key.
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
