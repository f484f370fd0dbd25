import { ApplicationFailure, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import { type Ending, type Finished, type StepReply, type UndoCall, undoActivityName } from '../operation/call.ts';
import { failure } from '../operation/failures.ts';
import { localFirst } from './local-first.ts';
import { problemAnswer, type Refusal } from '../operation/outcome.ts';
import { ledgerCall, ledgerRetry, providerCall, providerRetry } from '../operation/presets.ts';
import type { OperationState, SettledState } from '../operation/state.ts';
import { isCoveredBy } from '../operation/step-declaration.ts';
import { held, ledger, refusalOf, type Story, tellPeople } from './story.ts';
import { thrownBy, toldOf } from './thrown.ts';

type UndoActivity = (call: UndoCall) => Promise<StepReply>;

/**
 * Runs the undos, newest first, from the ledger's step rows, and settles truthfully with what was undone.
 * @throws when the point of no return is passed: the run ends visibly as failed, and upkeep starts it again, forward
 */
export async function compensate(story: Story, ending: Ending): Promise<OperationState> {
  const { engine, flow } = story;
  tellPeople(story, `Undoing: ${ending.refusal.detail}`);
  const plan = await ledger.compensate({ ...held(story), carry: engine.carry, ending });
  if (plan.kind === 'forward')
    throw ApplicationFailure.nonRetryable(
      `${story.id} is past its point of no return and only goes forward: ${ending.refusal.detail}`,
      'past-no-return',
    );
  engine.carry = [];
  const undone: string[] = [];
  const left: string[] = [];
  for (const { step, state } of plan.steps) {
    // A step without an undo of its own left nothing, or another step's undo takes it back.
    if (flow.steps[step]?.undo !== 'own') continue;
    // What came first may rest on what could not be taken back: stock is not given free while its money may be taken.
    // `undone`: a former run of this operation has undone it, and died.
    const worked = state === 'undone' || (left.length === 0 && (await undo(story, step)));
    (worked ? undone : left).push(step);
    if (worked) engine.carry = [...engine.carry, ...covered(story, step, plan.steps)];
  }
  return await settle(story, plan.ending, undone, left, flow.retention);
}

/** The steps whose effects went with this undo. */
function covered(story: Story, by: string, steps: readonly { readonly step: string }[]): readonly Finished[] {
  const names = Object.keys(story.flow.steps);
  return steps
    .filter(({ step }) => {
      const declared = story.flow.steps[step];
      return declared !== undefined && isCoveredBy(declared, by);
    })
    .map(({ step }) => ({ step, position: names.indexOf(step), attempt: 0, state: 'undone', result: null }));
}

async function undo(story: Story, step: string): Promise<boolean> {
  const { engine, flow } = story;
  const name = undoActivityName(flow.name, step);
  const says = `Undo: ${flow.steps[step]?.says ?? step}`;
  const call: UndoCall = { ...engine.hold, step, personAfter: flow.personAfter, carry: engine.carry };
  const transaction = flow.steps[step]?.effect === 'transaction';
  const near = proxyLocalActivities<Record<string, UndoActivity>>({
    ...(transaction ? ledgerCall : providerCall),
    summary: says,
  })[name] as UndoActivity;
  const far = proxyActivities<Record<string, UndoActivity>>({
    ...(transaction ? ledgerRetry : providerRetry),
    summary: says,
    scheduleToCloseTimeout: flow.undoPatience,
  })[name] as UndoActivity;
  const position = Object.keys(flow.steps).indexOf(step);
  try {
    const reply = await localFirst(
      story,
      { step, says },
      () => near(call),
      () => far(call),
    );
    engine.carry = reply.finished === undefined ? [] : [reply.finished];
    return true;
  } catch (error) {
    const thrown = thrownBy(error);
    // Another run has taken over, or the operation is settled: not a failure of the undo. Nor is a bug of ours.
    if (thrown === 'fenced' || thrown === 'settled' || thrown === 'bug') throw error;
    const refusal: Refusal = refusalOf(error) ?? {
      code: 'compensation-incomplete',
      detail: toldOf(error, 'The undo', flow),
    };
    engine.carry = [...engine.carry, { step, position, attempt: 0, state: 'undo_failed', refusal }];
    return false;
  }
}

async function settle(
  story: Story,
  ending: Ending,
  undone: readonly string[],
  left: readonly string[],
  keep: { response: number; tombstone: number },
): Promise<OperationState> {
  const { engine, flow } = story;
  const state: SettledState = left.length > 0 ? 'compensation_incomplete' : ending.state;
  const refusal: Refusal =
    left.length > 0
      ? {
          code: 'compensation-incomplete',
          detail: `${ending.refusal.detail} Not undone: ${left.join(', ')}. An operator has been told.`,
          more: { cause: ending.refusal.code, undone, notUndone: left },
        }
      : { ...ending.refusal, more: { ...ending.refusal.more, ...(undone.length > 0 ? { undone } : {}) } };
  const renewable = flow.renewsAfter.includes(state) || failure(refusal.code).stored === false;
  await ledger.settle({
    ...engine.hold,
    carry: engine.carry,
    settlement: {
      state,
      answer: problemAnswer(refusal, { requestId: engine.requestId, operation: story.id, renewable }),
      result: null,
      refusal,
      renewable,
      keep: { response: keep.response, tombstone: keep.tombstone },
      sweepAfter: flow.sweepAfter ?? null,
    },
  });
  return state;
}
