import type { StepCall } from '../../../../workflows/operation/call.ts';
import type { StepState } from '../../../../workflows/operation/state.ts';
import type { Row, Statement } from '../database.ts';
import { enter } from './enter.ts';
import { openOperation } from './open-operation.ts';

/** What the row says about a step that is about to be tried. */
type Begun = {
  readonly state: StepState;
  readonly attempt: number;
  readonly epoch: number;
  /** Frozen with the first try, so that a deploy does not change what a retry sends. */
  readonly request: unknown;
  readonly result: unknown;
  /** Since the first try of this epoch, by PostgreSQL's clock. Milliseconds. */
  readonly age: number;
  /** Since the send before this one, by PostgreSQL's clock; undefined for the first. Milliseconds. */
  readonly since: number | undefined;
  /** How long the outside still wants to be left alone, by PostgreSQL's clock; 0 or less where it does not. Milliseconds. */
  readonly asked: number;
};

/**
 * `sent` is committed before the call. A try that finds another one unanswered makes that `unknown` where an outside
 * system may have had it. A step that has ended keeps its state, and the caller leaves it alone.
 */
const text = `
insert into step (operation_id, tenant, name, position, state, no_return, request, irreversible)
values ($1, $2, $3, $4, 'sent', $5, $6, $8)
on conflict (operation_id, name) do update
set attempt = step.attempt + 1,
    -- Nothing was sent before: the age of the key begins now.
    sent_at = case when step.attempt = 0 then now() else step.sent_at end,
    sent_before_at = case when step.attempt = 0 then null else coalesce(step.last_sent_at, step.sent_at) end,
    last_sent_at = now(),
    state = case when step.state in ('sent', 'unknown') then case when $7 then 'unknown' else 'sent' end
                 when step.state in ('planned', 'failed') then 'sent'
                 else step.state end,
    -- Tried anew, it has not ended.
    ended_at = case when step.state in ('planned', 'sent', 'unknown', 'failed') then null else step.ended_at end
returning state, attempt, epoch, request, result, extract(epoch from now() - sent_at) * 1000 as age,
  extract(epoch from now() - sent_before_at) * 1000 as since,
  coalesce(extract(epoch from not_before - now()) * 1000, 0) as asked`;

/** The effect of a row step goes in the same flush, so a step that is already done is refused as `done`. */
export function beginStep(call: StepCall, request: unknown): Statement[] {
  const { operation, step, effect, position, noReturn, irreversible, patience, carry, opens } = call;
  const inTime: Statement = {
    name: 'expect_patience',
    text: 'select expect_patience($1, $2)',
    values: [operation.id, patience],
  };
  return [
    ...(opens === undefined ? [] : [openOperation(operation, opens, patience)]),
    ...(noReturn ? [inTime] : []),
    ...enter(call, { kind: 'step', step, effect, noReturn }, carry),
    {
      name: 'begin_try',
      text,
      values: [
        operation.id,
        operation.tenant,
        step,
        position,
        noReturn,
        JSON.stringify(request),
        effect === 'keyed',
        irreversible,
      ],
    },
  ];
}

export function begun(rows: readonly Row[] | undefined): Begun {
  const row = rows?.[0];
  if (row === undefined) throw new Error('The step has no row');
  return {
    state: row.state as StepState,
    attempt: row.attempt as number,
    epoch: row.epoch as number,
    request: row.request,
    result: row.result,
    age: Number(row.age),
    since: row.since === null ? undefined : Number(row.since),
    asked: Number(row.asked),
  };
}
