import type { AnyFlow, OptionalStep } from '../operation/flow.ts';
import type { Refusal } from '../operation/outcome.ts';
import { step } from './step.ts';
import type { StepSignatures, Story } from './story.ts';
import { toldOf } from './told-of.ts';
import { whyOf } from './unfinished.ts';

type Attempted<Result> =
  | { readonly kind: 'done'; readonly result: Result }
  | { readonly kind: 'failed'; readonly refusal: Refusal };

/** Runs an optional step. Its failure is recorded and reported, and the story goes on. */
export async function attempt<
  F extends AnyFlow,
  S extends StepSignatures,
  N extends OptionalStep<F> & keyof S & string,
>(story: Story<F, S>, name: N, input: S[N]['input']): Promise<Attempted<S[N]['result']>> {
  try {
    return { kind: 'done', result: await step(story, name, input) };
  } catch (error) {
    const why = whyOf(error);
    switch (why?.kind) {
      case 'refused':
        return { kind: 'failed', refusal: why.refusal };
      // The ledger already knows it, and whether its undo has to look.
      case 'stopped':
        return { kind: 'failed', refusal: why.ending.refusal };
      case 'failed':
      case 'impatient': {
        const refusal: Refusal = { code: 'step-failed', detail: toldOf(story, error, 'The step') };
        // It may have happened, so its undo will look. Attempt 0 stands for any try.
        story.progress.ended(name, 0, { state: 'unknown', refusal });
        return { kind: 'failed', refusal };
      }
      case undefined:
      case 'settled':
      case 'fenced':
      case 'cancel-requested':
      case 'interrupted':
      case 'forward-only':
      case 'bug':
        throw error;
    }
  }
}
