import { ApplicationFailure, CancellationScope, setHandler, workflowInfo } from '@temporalio/workflow';
import type { Ending, Opening, OperationRef, Taken } from '../operation/call.ts';
import type { AnyFlow, RequestOf } from '../operation/flow.ts';
import type { Refusal } from '../operation/outcome.ts';
import { ageOfRun, patienceEnds } from './patience.ts';
import { compensate } from './saga.ts';
import type { OperationState } from '../operation/state.ts';
import {
  cancelRequestedSignal,
  type Engine,
  ledger,
  NotOpened,
  refusalOf,
  resolvedSignal,
  type StepSignatures,
  type Story,
  wakeSignal,
} from './story.ts';
import { stoppedBy, thrownBy, toldOf } from './thrown.ts';

/**
 * Makes a workflow of a story. The ledger decides at its start whether there is anything to do (a new operation is opened
 * by its first step), and at its end what became of it; a failure in between is undone from step rows.
 * @returns the function that Temporal registers; it resolves with the state that the operation settled in
 */
export function operation<F extends AnyFlow, S extends StepSignatures>(
  flow: F,
  tell: (story: Story<F, S>) => Promise<void>,
): (ref: OperationRef, opening?: Opening) => Promise<OperationState> {
  return async (ref, opening) => {
    // A cancel from Temporal's UI is only a request: the ledger says whether it is still in time.
    const root = CancellationScope.current();
    return await CancellationScope.nonCancellable(async () => {
      let story: Story<F, S> | undefined;
      root.cancelRequested.catch(() =>
        ledger.requestCancel({ operation: ref }).then(() => story?.engine.interrupt?.()),
      );
      if (opening !== undefined) {
        story = begin<F, S>(flow, ref, foreseen(opening), workflowInfo().runId);
        try {
          return await told(story, tell);
        } catch (error) {
          if (!(error instanceof NotOpened)) throw error;
        }
      }
      const taken = await ledger.take({ operation: ref, run: workflowInfo().runId });
      if (taken.kind === 'settled') return taken.state;
      const { ending } = taken;
      // What people are shown outlives the telling.
      const troubled = story?.engine.troubled;
      story = begin<F, S>(flow, ref, taken);
      story.engine.troubled = troubled;
      if (ending === null) return await told(story, tell);
      const undone = story;
      return await toItsEnd(undone, () => compensate(undone, ending));
    });
  };
}

/** What the ledger will say of an operation that nobody has held: the first step's transaction holds if it is so. */
function foreseen({ request, requestId, age }: Opening): Extract<Taken, { kind: 'taken' }> {
  return {
    kind: 'taken',
    state: 'running',
    fence: 1,
    request,
    requestId,
    deadline: null,
    ending: null,
    age: age + ageOfRun(),
    forward: false,
    done: {},
  };
}

function begin<F extends AnyFlow, S extends StepSignatures>(
  flow: F,
  ref: OperationRef,
  taken: Extract<Taken, { kind: 'taken' }>,
  opens?: string,
): Story<F, S> {
  const engine: Engine = {
    hold: { operation: ref, fence: taken.fence },
    opens,
    requestId: taken.requestId,
    done: taken.done,
    reached: -1,
    until: patienceEnds(flow, taken.age),
    forward: taken.forward,
    carry: [],
    troubled: undefined,
    wakes: 0,
    interrupt: undefined,
    retry: undefined,
  };
  setHandler(wakeSignal, () => {
    engine.wakes += 1;
  });
  setHandler(cancelRequestedSignal, () => {
    engine.wakes += 1;
    engine.interrupt?.();
  });
  setHandler(resolvedSignal, () => {
    engine.wakes += 1;
    engine.retry?.();
  });
  return { flow, id: ref.id, request: taken.request as RequestOf<F>, deadline: taken.deadline, engine };
}

async function told<F extends AnyFlow, S extends StepSignatures>(
  story: Story<F, S>,
  tell: (story: Story<F, S>) => Promise<void>,
): Promise<OperationState> {
  return await toItsEnd(story, async () => {
    try {
      await tell(story);
      return 'succeeded';
    } catch (error) {
      return await end(story, error);
    }
  });
}

/** The ledger may know more than this run: that the operation has settled, or that another run holds it. */
async function toItsEnd(story: Story, work: () => Promise<OperationState>): Promise<OperationState> {
  const { operation } = story.engine.hold;
  try {
    return await work();
  } catch (error) {
    switch (thrownBy(error)) {
      case 'settled':
        return (await ledger.take({ operation, run: workflowInfo().runId })).state;
      case 'fenced':
        // What took over may have been a frozen worker of this very run, which will not live long: upkeep looks soon.
        await ledger.leave({ operation });
        throw ApplicationFailure.nonRetryable(`Another run has taken over ${story.id}; this one leaves`, 'fenced');
      case 'bug':
      case 'cancel-requested':
      case 'refused':
      case 'stopped':
      case 'failed':
        throw error;
    }
  }
}

async function end(story: Story, error: unknown): Promise<OperationState> {
  switch (thrownBy(error)) {
    case 'bug':
      await reportBug(story, error);
      throw error;
    case 'settled':
    case 'fenced':
      throw error;
    case 'cancel-requested':
      return await compensate(story, {
        state: 'cancelled',
        refusal: { code: 'cancelled', detail: 'The operation was cancelled at the request of its owner.' },
      });
    case 'refused':
      return await compensate(story, endingOf(refusalOf(error) as Refusal));
    case 'stopped':
      return await compensate(story, stoppedBy(error) as Ending);
    case 'failed':
      return await compensate(story, {
        state: 'compensated',
        refusal: { code: 'compensated', detail: toldOf(error, 'The operation', story.flow) },
      });
  }
}

/** Of what the engine has found wrong with the story. An error of the story's own code fails its task, which Temporal shows. */
async function reportBug({ engine }: Story, error: unknown): Promise<void> {
  if (!(error instanceof ApplicationFailure)) return;
  const [step = ''] = error.details as readonly string[];
  await ledger.reportBug({ ...engine.hold, step, says: error.message });
}

function endingOf(refusal: Refusal): Ending {
  return { state: refusal.code === 'expired' ? 'expired' : 'refused', refusal };
}
