import type { Ending, Finished, Hold } from '../../../../../workflows/operation/call.ts';
import { turnToCompensating } from '../compensate.ts';
import type { Database, Statement } from '../../database.ts';
import { enter, recordSteps } from '../enter.ts';

type Judged = Hold & { readonly step: string; readonly carry: readonly Finished[] };

const verdict = `
update resolution set verdict = $3, verdict_says = $4, verdict_at = now()
where operation_id = $1 and number = $2 and verdict is null`;

/** The step's own code has confirmed what the person said: the step is done. */
export async function resolvedAsDone(
  database: Database,
  call: Judged & { readonly position: number },
  number: number,
  result: unknown,
): Promise<void> {
  const { operation, step, position, carry } = call;
  const done: Finished = { step, position, attempt: 0, state: 'done', result };
  await database.flush(
    operation.tenant,
    ...enter(call, { kind: 'record' }, carry),
    recordSteps(call, [done]),
    judge(call, number, 'held', null),
  );
}

/**
 * The step has no effect that counts. If it was sent it stays unknown, and its undo looks for it under the key that
 * was sent.
 */
const given = `
update step
set state = case when state = 'planned' or irreversible then 'failed' else 'unknown' end, refusal = $3, ended_at = now()
where operation_id = $1 and name = $2 and state in ('planned', 'sent', 'unknown')`;

/**
 * A person has said that the step had no effect. The operation turns to its undos in the same transaction, unless the step
 * is optional.
 */
export async function resolvedWithoutEffect(
  database: Database,
  call: Judged,
  number: number,
  ending: Ending,
  optional: boolean,
): Promise<void> {
  const { operation, step, carry } = call;
  await database.flush(
    operation.tenant,
    ...enter(call, { kind: 'record' }, carry),
    { name: 'given_up', text: given, values: [operation.id, step, ending.refusal] },
    ...(optional ? [] : [turnToCompensating(operation, ending)]),
    judge(call, number, 'held', null),
  );
}

/** @param says why it did not hold, as a sentence for people */
export async function resolutionLapsed(database: Database, call: Hold, number: number, says: string): Promise<void> {
  await database.flush(call.operation.tenant, ...enter(call, { kind: 'record' }), judge(call, number, 'lapsed', says));
}

function judge({ operation }: Hold, number: number, decided: 'held' | 'lapsed', says: string | null): Statement {
  return { name: 'judge_resolution', text: verdict, values: [operation.id, number, decided, says] };
}
