import { type Ending, type StepReply, type UndoCall, undoActivityName } from '../operation/call.ts';
import type { Refusal } from '../operation/outcome.ts';
import type { OperationState } from '../operation/state.ts';
import { isCoveredBy, placementOf, type StepDeclaration } from '../operation/step-declaration.ts';
import { settlementOf } from '../operation/settlement.ts';
import type { Story } from './story.ts';
import { toldOf } from './told-of.ts';
import { Unfinished, whyOf } from './unfinished.ts';

/**
 * Runs the undos from the ledger's step rows, newest first, and settles with what was really undone.
 * @throws when the point of no return is passed: the run ends visibly as failed, and upkeep starts it again, forward
 */
export async function compensate(story: Story, ending: Ending): Promise<OperationState> {
  const { teller, progress, flow } = story;
  teller.show(`Undoing: ${ending.refusal.detail}`);
  const plan = await teller.ledger.compensate({ ...progress.held, carry: progress.carry, ending });
  if (plan.kind === 'forward')
    throw new Unfinished(
      { kind: 'forward-only' },
      `${story.id} is past its point of no return and only goes forward: ${ending.refusal.detail}`,
    );
  progress.recorded();
  const undone: string[] = [];
  const left: string[] = [];
  for (const { step, state } of plan.steps) {
    const declaration = flow.steps[step];
    // A step without an undo of its own left nothing behind, or another step's undo takes it back.
    if (declaration?.undo !== 'own') continue;
    // What came first may depend on what could not be taken back: stock is not released while its money may be taken.
    // `undone`: an earlier run of this operation has undone the step and died.
    const worked = state === 'undone' || (left.length === 0 && (await undo(story, step, declaration)));
    (worked ? undone : left).push(step);
    if (worked) coverWith(story, step, plan.steps);
  }
  return await settle(story, plan.ending, undone, left);
}

/** This undo has taken back the effects of these steps too. */
function coverWith({ progress, flow }: Story, by: string, steps: readonly { readonly step: string }[]): void {
  for (const { step } of steps) {
    const declared = flow.steps[step];
    if (declared !== undefined && isCoveredBy(declared, by)) progress.ended(step, 0, { state: 'undone', result: null });
  }
}

async function undo(story: Story, step: string, declaration: StepDeclaration): Promise<boolean> {
  const { teller, progress, flow } = story;
  const call: UndoCall = { ...progress.held, step, personAfter: flow.personAfter, carry: progress.carry };
  const work = {
    activity: undoActivityName(flow.name, step),
    says: `Undo: ${declaration.says}`,
    step,
    placement: placementOf(declaration),
    within: flow.undoPatience,
    cancellable: false,
  };
  try {
    const reply = await teller.perform<UndoCall, StepReply>({ ...work, again: false }, call);
    progress.recorded(reply.finished);
    return true;
  } catch (error) {
    const why = whyOf(error);
    switch (why?.kind) {
      // That another run has taken over, or the operation has settled, is not a failure of the undo. Nor is a bug of
      // ours.
      case undefined:
      case 'fenced':
      case 'settled':
      case 'bug':
        throw error;
      case 'refused':
        progress.ended(step, 0, { state: 'undo_failed', refusal: why.refusal });
        return false;
      case 'stopped':
      case 'cancel-requested':
      case 'impatient':
      case 'interrupted':
      case 'forward-only':
      case 'failed': {
        const refusal: Refusal = { code: 'compensation-incomplete', detail: toldOf(story, error, 'The undo') };
        progress.ended(step, 0, { state: 'undo_failed', refusal });
        return false;
      }
    }
  }
}

async function settle(
  { teller, progress, flow, requestId }: Story,
  ending: Ending,
  undone: readonly string[],
  left: readonly string[],
): Promise<OperationState> {
  const state = left.length > 0 ? 'compensation_incomplete' : ending.state;
  const refusal: Refusal =
    left.length > 0
      ? {
          code: 'compensation-incomplete',
          detail: `${ending.refusal.detail} Not undone: ${left.join(', ')}. An operator has been told.`,
          more: { cause: ending.refusal.code, undone, notUndone: left },
        }
      : { ...ending.refusal, more: { ...ending.refusal.more, ...(undone.length > 0 ? { undone } : {}) } };
  await teller.ledger.settle({
    ...progress.held,
    carry: progress.carry,
    settlement: settlementOf(flow, requestId, { state, refusal }),
  });
  return state;
}
