import { activityName, type Settlement, type StepCall, type StepReply } from '../operation/call.ts';
import type { AnyFlow, DoneStep, ResultOf } from '../operation/flow.ts';
import {
  isIrreversible,
  isUncancellable,
  type OutsideStepDeclaration,
  placementOf,
  type RowStepDeclaration,
} from '../operation/step-declaration.ts';
import { settlementOf } from '../operation/settlement.ts';
import { bug } from './bug.ts';
import { NotOpened } from './not-opened.ts';
import type { StepSignatures, Story } from './story.ts';
import { whyOf } from './unfinished.ts';

type Done = RowStepDeclaration | OutsideStepDeclaration;

/**
 * Runs one named step, which is the only way from a story to an effect. A step that the ledger knows as done is not
 * run again.
 * @throws a refusal when the outside has definitively said no; a refusal that the declaration does not foresee is a
 *   bug
 * @throws any other failure when the flow's patience has ended before the point of no return
 */
export async function step<F extends AnyFlow, S extends StepSignatures, N extends DoneStep<F> & keyof S & string>(
  story: Story<F, S>,
  name: N,
  input: S[N]['input'],
): Promise<S[N]['result']> {
  return await perform(story, name, input);
}

/** The last step: its effect, the outcome and the answer are committed in one transaction. */
export async function finish<F extends AnyFlow, S extends StepSignatures, N extends DoneStep<F> & keyof S & string>(
  story: Story<F, S>,
  name: N,
  input: S[N]['input'],
  result: ResultOf<F>,
): Promise<void> {
  const { flow, requestId } = story;
  await perform(story, name, input, settlementOf(flow, requestId, { state: 'succeeded', result }));
}

async function perform(story: Story, name: string, input: unknown, settlement?: Settlement): Promise<unknown> {
  const { teller, progress, flow } = story;
  progress.reach(name);
  const known = progress.known(name);
  if (known !== undefined) return known.result;
  const declaration = flow.steps[name] as Done;
  const call: StepCall = {
    // Only a step that commits together with its own row can take the operation over in the same transaction.
    ...(declaration.effect === 'transaction' ? progress.opening : progress.held),
    step: name,
    position: progress.positionOf(name),
    input,
    carry: progress.carry,
    effect: declaration.effect,
    noReturn: isUncancellable(declaration),
    irreversible: isIrreversible(declaration),
    patience: flow.patience,
    personAfter: flow.personAfter,
    ...(declaration.optional === undefined ? {} : { optional: true }),
    ...(progress.isTakenOver ? { again: true } : {}),
    ...(settlement === undefined ? {} : { settlement }),
  };
  progress.expectPatience(teller.now());
  if (call.noReturn) progress.goForward();
  teller.show(declaration.says);
  try {
    const reply = await run(story, declaration, call);
    progress.opened();
    progress.recorded(reply.finished);
    return reply.result;
  } catch (error) {
    const why = whyOf(error);
    // A refusal is thrown after the commit. After any other failure nobody knows whether the operation was opened.
    if (why?.kind !== 'refused' && !progress.isOpened) throw new NotOpened('', { cause: error });
    progress.opened();
    if (why?.kind !== 'refused') throw error;
    const { refusal, attempt } = why;
    // It is neither undone nor recorded: a person has to find out what the outside meant.
    if (!declaration.refusable && settlement === undefined)
      throw bug(flow, name, `was refused (${refusal.code}: ${refusal.detail}), which its declaration rules out`, error);
    progress.ended(name, attempt, { state: 'failed', refusal });
    throw error;
  }
}

/** News interrupts a step that is being retried. The next try, or the ledger, then decides about it. */
async function run({ teller, progress, flow }: Story, declaration: Done, call: StepCall): Promise<StepReply> {
  const work = {
    activity: activityName(flow.name, call.step),
    says: declaration.says,
    step: call.step,
    placement: placementOf(declaration),
    until: progress.until,
    within: declaration.optional?.within,
    cancellable: !call.noReturn,
    // A step that opens the operation cannot show trouble. So the operation is first opened by a move of its own.
    brief: !progress.isOpened,
  };
  for (let again = false; ; again = true) {
    try {
      return await teller.perform({ ...work, again }, again ? { ...call, again } : call);
    } catch (error) {
      if (whyOf(error)?.kind !== 'interrupted') throw error;
      // Asked here, because the worker of the next try may be away for a long time.
      if (work.cancellable) await teller.ledger.proceed(progress.held);
    }
  }
}
