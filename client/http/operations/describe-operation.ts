import type { ResolutionRecord } from '../../../activities/stores/postgres/ledger/resolutions/read-resolutions.ts';
import type { OperationRecord, SettledOperation } from '../../../activities/stores/postgres/ledger/read-operation.ts';
import { awaitedStep } from '../../../workflows/operation/awaited-step.ts';
import type { AnyFlow } from '../../../workflows/operation/flow.ts';
import type { StepDeclaration } from '../../../workflows/operation/step-declaration.ts';
import type { Caller } from '../callers/caller.ts';
import { problem } from '../../../workflows/operation/answer.ts';
import type { StepState } from '../../../workflows/operation/state.ts';
import type { Trouble } from '../../../workflows/operation/trouble.ts';

/**
 * An operation as people and programs see it: declared steps that have not begun are shown as planned.
 * @param caller who looks: what steps have given, and what people have said of them, is for viewers and operators
 */
export function describeOperation(flow: AnyFlow | undefined, record: OperationRecord, caller: Pick<Caller, 'role'>) {
  const rows = new Map(record.steps.map((step) => [step.name, step]));
  const names = [...new Set([...Object.keys(flow?.steps ?? {}), ...rows.keys()])];
  const reached = names.findLastIndex((name) => rows.has(name));
  return {
    id: record.id,
    flow: record.flow,
    key: record.key,
    generation: record.generation,
    state: record.state,
    ...(record.settledAt === null && record.cancelRequestedAt !== null ? { cancelRequested: true } : {}),
    steps: names.map((name, index) => {
      const row = rows.get(name);
      // A story leaves out steps that this operation does not need.
      const unsent = index < reached ? 'skipped' : 'planned';
      return {
        name,
        says: flow?.steps[name]?.says ?? name,
        state: row === undefined ? unsent : shownState(record, row.state, flow?.steps[name]),
        attempts: row?.attempts ?? 0,
        ...(row === undefined ? {} : { sentAt: row.sentAt.toISOString() }),
        ...(row === undefined || row.endedAt === null ? {} : { endedAt: row.endedAt.toISOString() }),
        ...(row === undefined || row.refusal === null
          ? {}
          : { problem: { code: row.refusal.code, detail: row.refusal.detail } }),
        ...(caller.role === 'caller' || row?.state !== 'done' || row.result === null ? {} : { result: row.result }),
      };
    }),
    ...(record.trouble === null ? {} : { trouble: describeTrouble(record.trouble) }),
    ...(caller.role === 'caller' || record.resolutions.length === 0
      ? {}
      : { resolutions: record.resolutions.map(describeResolution) }),
    ...(record.settledAt === null ? {} : describeEnd(record)),
    createdAt: record.createdAt.toISOString(),
    ...describeWait(flow, record),
    ...(record.settledAt === null ? {} : { settledAt: record.settledAt.toISOString() }),
  };
}

/** For a wait, nothing was sent: it goes on, or has ended without what it was for. */
function shownState(
  { state, settledAt }: OperationRecord,
  step: StepState,
  declared: StepDeclaration | undefined,
): StepState | 'waiting' | 'lapsed' {
  if (declared?.effect !== 'await' || step !== 'sent') return step;
  return settledAt === null && state !== 'compensating' ? 'waiting' : 'lapsed';
}

/** Which step waits for something from outside, what is next, and until when. */
export function describeWait(flow: AnyFlow | undefined, record: OperationRecord) {
  const awaited = flow === undefined ? undefined : awaitedStep(flow, record);
  return {
    ...(awaited === undefined ? {} : { awaits: awaited.name, next: awaited.next }),
    ...(awaited === undefined || record.settledAt !== null || record.deadline === null
      ? {}
      : { expiresAt: record.deadline.toISOString() }),
  };
}

function describeEnd(record: SettledOperation) {
  if (record.state === 'succeeded') return record.result === null ? {} : { result: record.result };
  const { refusal, requestId, id: operation, renewable } = record;
  return refusal === null ? {} : { problem: problem(refusal, { requestId, operation, renewable }) };
}

function describeResolution({ says, result, at, ...said }: ResolutionRecord) {
  return {
    ...said,
    ...(result === null ? {} : { result }),
    at: at.toISOString(),
    ...(says === null ? {} : { says }),
  };
}

/** Why there is no progress, and whether trying again may still mend it. */
export function describeTrouble({ step, undoing, says, since, tries, nextTryAt, needsPerson }: Trouble) {
  return {
    step,
    ...(undoing ? { undoing } : {}),
    says,
    since: since.toISOString(),
    tries,
    nextTryAt: nextTryAt.toISOString(),
    ...(needsPerson ? { needs: 'person' as const } : {}),
  };
}
