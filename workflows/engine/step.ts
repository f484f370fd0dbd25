import {
  type ActivityOptions,
  type ApplicationFailure,
  CancellationScope,
  isCancellation,
  type LocalActivityOptions,
  proxyActivities,
  proxyLocalActivities,
  workflowInfo,
} from '@temporalio/workflow';
import { activityName, type Settlement, type StepCall, type StepReply } from '../operation/call.ts';
import { bug } from './bug.ts';
import { expectOrder } from './expect-order.ts';
import type { AnyFlow, ResultOf, StepName } from '../operation/flow.ts';
import { localFirst } from './local-first.ts';
import { successAnswer } from '../operation/outcome.ts';
import { expectPatience, withinPatience } from './patience.ts';
import { bytesWork, ledgerCall, ledgerRetry, mediaWork, providerCall, providerRetry } from '../operation/presets.ts';
import { isIrreversible, isUncancellable, type StepDeclaration } from '../operation/step-declaration.ts';
import {
  held,
  isTakenOver,
  ledger,
  NotOpened,
  refusalOf,
  type StepSignatures,
  type Story,
  tellPeople,
} from './story.ts';
import { causeOf } from './thrown.ts';

type StepActivity = (call: StepCall) => Promise<StepReply>;

/**
 * Runs one named step: the only way from a story to an effect. A step that the ledger knows as done is not called again.
 * @throws a refusal when the outside has definitively said no; where the declaration does not foresee it, that is a bug
 * @throws any other failure when the flow's patience has ended before the point of no return
 */
export async function step<F extends AnyFlow, S extends StepSignatures, N extends StepName<F> & keyof S & string>(
  story: Story<F, S>,
  name: N,
  input: S[N]['input'],
): Promise<S[N]['result']> {
  return await perform(story, name, input);
}

/** The last step: its effect, the outcome and the answer are committed in one transaction. */
export async function finish<F extends AnyFlow, S extends StepSignatures, N extends StepName<F> & keyof S & string>(
  story: Story<F, S>,
  name: N,
  input: S[N]['input'],
  result: ResultOf<F>,
): Promise<void> {
  const { response, tombstone } = story.flow.retention;
  const settlement: Settlement = {
    state: 'succeeded',
    answer: successAnswer(story.id, result),
    result,
    refusal: null,
    renewable: story.flow.renewsAfter.includes('succeeded'),
    keep: { response, tombstone },
    sweepAfter: story.flow.sweepAfter ?? null,
  };
  await perform(story, name, input, settlement);
}

async function perform(story: Story, name: string, input: unknown, settlement?: Settlement): Promise<unknown> {
  const { engine, flow } = story;
  expectOrder(story, name);
  if (Object.hasOwn(engine.done, name)) return engine.done[name];
  const declaration = flow.steps[name] as StepDeclaration;
  const position = Object.keys(flow.steps).indexOf(name);
  const call: StepCall = {
    // Only what commits together with its own row can take the operation over in the same transaction.
    ...(declaration.effect === 'transaction' ? engine.hold : held(story)),
    ...(engine.opens === undefined ? {} : { opens: engine.opens }),
    step: name,
    position,
    input,
    carry: engine.carry,
    effect: declaration.effect,
    noReturn: isUncancellable(declaration),
    irreversible: isIrreversible(declaration),
    ...(declaration.optional === undefined ? {} : { optional: true }),
    ...(isTakenOver(engine) ? { again: true } : {}),
    patience: flow.patience,
    personAfter: flow.personAfter,
    ...(settlement === undefined ? {} : { settlement }),
  };
  expectPatience(story);
  engine.forward ||= call.noReturn;
  tellPeople(story, declaration.says);
  try {
    const reply = await run(story, declaration, call);
    engine.opens = undefined;
    engine.carry = reply.finished === undefined ? [] : [reply.finished];
    return reply.result;
  } catch (error) {
    const refusal = refusalOf(error);
    // Of anything but a refusal, which comes after the commit, nobody knows whether it has opened the operation.
    if (refusal === undefined && engine.opens !== undefined) throw new NotOpened('', { cause: error });
    engine.opens = undefined;
    // Neither undone nor recorded: what the outside meant is for a person to find out.
    if (refusal !== undefined && !declaration.refusable && settlement === undefined)
      throw bug(flow, name, `was refused (${refusal.code}: ${refusal.detail}), which its declaration rules out`, error);
    if (refusal !== undefined) {
      const attempt = Number((causeOf(error) as ApplicationFailure).details?.[1] ?? 1);
      engine.carry = [...engine.carry, { step: name, position, attempt, state: 'failed', refusal }];
    }
    throw error;
  }
}

async function run(story: Story, declaration: StepDeclaration, call: StepCall): Promise<StepReply> {
  const name = activityName(story.flow.name, call.step);
  const summary = declaration.says;
  switch (declaration.placement) {
    case 'ledger':
      return await eitherWay(story, declaration, call, { near: ledgerCall, far: ledgerRetry });
    case 'bytes':
      return await interruptible(story, call, (next) =>
        activity(
          proxyActivities<Record<string, StepActivity>>({ ...bytesWork, ...boundOf(story, declaration), summary }),
          name,
        )(next),
      );
    case 'media': {
      const taskQueue = `${workflowInfo().taskQueue}-media`;
      return await interruptible(story, call, (next) =>
        activity(
          proxyActivities<Record<string, StepActivity>>({
            ...mediaWork,
            ...boundOf(story, declaration),
            taskQueue,
            summary,
          }),
          name,
        )(next),
      );
    }
    case 'provider':
      return await eitherWay(story, declaration, call, { near: providerCall, far: providerRetry });
  }
}

function activity(proxy: Record<string, StepActivity>, name: string): StepActivity {
  return proxy[name] as StepActivity;
}

/** Such a step is tried near the workflow first; the far tries can be cancelled and end with patience. */
async function eitherWay(
  story: Story,
  declaration: StepDeclaration,
  call: StepCall,
  { near, far }: { readonly near: LocalActivityOptions; readonly far: ActivityOptions },
): Promise<StepReply> {
  const name = activityName(story.flow.name, call.step);
  const summary = declaration.says;
  return await localFirst(
    story,
    { step: call.step, says: summary },
    () => activity(proxyLocalActivities<Record<string, StepActivity>>({ ...near, summary }), name)(call),
    () =>
      interruptible(story, { ...call, again: true }, (next) =>
        activity(
          proxyActivities<Record<string, StepActivity>>({ ...far, ...boundOf(story, declaration), summary }),
          name,
        )(next),
      ),
  );
}

/**
 * What interrupts an activity that is being retried: a cancel, of which the ledger then says whether it is still in time,
 * and a person's word, about which the next try decides.
 */
async function interruptible(
  story: Story,
  first: StepCall,
  work: (call: StepCall) => Promise<StepReply>,
): Promise<StepReply> {
  const { engine } = story;
  for (let call = first; ; call = { ...first, again: true }) {
    const scope = new CancellationScope({ cancellable: true });
    const interrupt = (): void => scope.cancel();
    engine.retry = interrupt;
    engine.interrupt = call.noReturn ? undefined : interrupt;
    try {
      return await scope.run(() => work(call));
    } catch (error) {
      if (!isCancellation(error)) throw error;
      // Asked here, since the worker of the next try may be away for long.
      if (!call.noReturn) await ledger.proceed(engine.hold);
    } finally {
      engine.retry = undefined;
      engine.interrupt = undefined;
    }
  }
}

/** An optional step is not asked for any longer than its flow says, whatever patience there is. */
function boundOf(story: Story, { optional }: StepDeclaration): { readonly scheduleToCloseTimeout?: number } {
  const bound = withinPatience(story);
  if (optional === undefined) return bound;
  return { scheduleToCloseTimeout: Math.min(optional.within, bound.scheduleToCloseTimeout ?? optional.within) };
}
