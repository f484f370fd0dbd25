import type { Ending, Opening, OperationRef, Taken } from '../operation/call.ts';
import type { AnyFlow, RequestOf } from '../operation/flow.ts';
import type { Refusal } from '../operation/outcome.ts';
import type { OperationState } from '../operation/state.ts';
import { NotOpened } from './not-opened.ts';
import { Progress } from './progress.ts';
import { compensate } from './saga.ts';
import type { StepSignatures, Story } from './story.ts';
import type { Teller } from './teller.ts';
import { toldOf } from './told-of.ts';
import { Unfinished, whyOf } from './unfinished.ts';

/** A flow with its story, as a teller tells it. */
export type Operation = {
  readonly flow: AnyFlow;
  /** @returns the state that the operation settled in */
  readonly tell: (teller: Teller, ref: OperationRef, opening?: Opening) => Promise<OperationState>;
};

/**
 * Joins a flow's declaration and its story. At the start the ledger decides whether there is anything to do (the first
 * step opens a new operation), and at the end it decides the outcome. A failure in between is undone from step rows.
 */
export function operation<F extends AnyFlow, S extends StepSignatures>(
  flow: F,
  tell: (story: Story<F, S>) => Promise<void>,
): Operation {
  return {
    flow,
    async tell(teller, ref, opening) {
      if (opening !== undefined)
        try {
          return await told(begin<F, S>(teller, flow, ref, foreseen(teller, opening), teller.run), tell);
        } catch (error) {
          if (!(error instanceof NotOpened)) throw error;
        }
      const taken = await teller.ledger.take({ operation: ref, run: teller.run });
      if (taken.kind === 'settled') return taken.state;
      const story = begin<F, S>(teller, flow, ref, taken);
      const { ending } = taken;
      if (ending === null) return await told(story, tell);
      return await toItsEnd(story, () => compensate(story, ending));
    },
  };
}

/**
 * What the ledger is expected to say of an operation that nobody has held. The first step's transaction succeeds only
 * if that is so.
 */
function foreseen(teller: Teller, { request, requestId, age }: Opening): Extract<Taken, { kind: 'taken' }> {
  return {
    kind: 'taken',
    state: 'running',
    fence: 1,
    request,
    requestId,
    deadline: null,
    ending: null,
    age: age + teller.age(),
    forward: false,
    done: {},
  };
}

function begin<F extends AnyFlow, S extends StepSignatures>(
  teller: Teller,
  flow: F,
  ref: OperationRef,
  { request, requestId, deadline, fence, done, forward, age }: Extract<Taken, { kind: 'taken' }>,
  opens?: string,
): Story<F, S> {
  const until = teller.now() + flow.patience - age;
  const progress = new Progress(flow, { operation: ref, fence, opens, done, forward, until });
  return { flow, id: ref.id, request: request as RequestOf<F>, requestId, deadline, teller, progress };
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
async function toItsEnd({ teller, progress, id }: Story, work: () => Promise<OperationState>): Promise<OperationState> {
  try {
    return await work();
  } catch (error) {
    const { operation } = progress.opening;
    switch (whyOf(error)?.kind) {
      case 'settled':
        return (await teller.ledger.take({ operation, run: teller.run })).state;
      case 'fenced':
        // The run that took over may be a frozen worker of this very run, which will not live long. So upkeep looks
        // soon.
        await teller.ledger.leave({ operation });
        throw new Unfinished({ kind: 'fenced' }, `Another run has taken over ${id}; this one leaves`);
      case undefined:
      case 'bug':
      case 'cancel-requested':
      case 'refused':
      case 'stopped':
      case 'impatient':
      case 'interrupted':
      case 'forward-only':
      case 'failed':
        throw error;
    }
  }
}

async function end(story: Story, error: unknown): Promise<OperationState> {
  const why = whyOf(error);
  switch (why?.kind) {
    case 'bug':
      return await faulty(story, why.step, error);
    // Temporal shows an error of the story's own code, and runs the story again until it is mended.
    case undefined:
      return await faulty(
        story,
        story.progress.reached,
        error,
        `The story of ${story.flow.name} fails by a fault of its own`,
      );
    case 'settled':
    case 'fenced':
    case 'interrupted':
    case 'forward-only':
      throw error;
    case 'cancel-requested':
      return await compensate(story, cancelled);
    case 'refused':
      return await undone(story, endingOf(why.refusal));
    case 'stopped':
      return await compensate(story, why.ending);
    case 'impatient':
    case 'failed':
      return await compensate(story, {
        state: 'compensated',
        refusal: { code: 'compensated', detail: toldOf(story, error, 'The operation') },
      });
  }
}

/** A refusal behind something irreversible cannot be followed by undos: the declaration is at fault. */
async function undone(story: Story, ending: Ending): Promise<OperationState> {
  try {
    return await compensate(story, ending);
  } catch (error) {
    if (whyOf(error)?.kind !== 'forward-only') throw error;
    return await faulty(story, story.progress.reached, error);
  }
}

/**
 * The flow's code is at fault. People see it as trouble that needs them. Nothing is undone for it, unless the
 * operation was cancelled or a person has given it up.
 * @throws the error, unless the operation was given up
 */
async function faulty(story: Story, step: string, error: unknown, what?: string): Promise<OperationState> {
  const { teller, progress } = story;
  const message = error instanceof Error ? error.message : String(error);
  const says = what === undefined ? message : `${what}: ${message}`;
  try {
    await teller.ledger.proceed(progress.held);
    await teller.ledger.reportBug({ ...progress.held, step, says, carry: progress.carry });
  } catch (meanwhile) {
    const why = whyOf(meanwhile);
    if (why?.kind === 'cancel-requested') return await compensate(story, cancelled);
    if (why?.kind === 'stopped') return await compensate(story, why.ending);
    throw meanwhile;
  }
  throw error;
}

const cancelled: Ending = {
  state: 'cancelled',
  refusal: { code: 'cancelled', detail: 'The operation was cancelled at the request of its owner.' },
};

function endingOf(refusal: Refusal): Ending {
  return { state: refusal.code === 'expired' ? 'expired' : 'refused', refusal };
}
