import type { Ending } from '../operation/call.ts';
import type { AnyFlow, OptionalStep } from '../operation/flow.ts';
import type { Refusal } from '../operation/outcome.ts';
import { step } from './step.ts';
import { refusalOf, type StepSignatures, type Story } from './story.ts';
import { stoppedBy, thrownBy, toldOf } from './thrown.ts';

export type Attempted<Result> =
  | { readonly kind: 'done'; readonly result: Result }
  | { readonly kind: 'failed'; readonly refusal: Refusal };

/** Runs a step that the flow declares as optional: its failure is recorded and told, and the story goes on. */
export async function attempt<
  F extends AnyFlow,
  S extends StepSignatures,
  N extends OptionalStep<F> & keyof S & string,
>(story: Story<F, S>, name: N, input: S[N]['input']): Promise<Attempted<S[N]['result']>> {
  try {
    return { kind: 'done', result: await step(story, name, input) };
  } catch (error) {
    switch (thrownBy(error)) {
      case 'refused':
        return { kind: 'failed', refusal: refusalOf(error) as Refusal };
      case 'failed': {
        const refusal: Refusal = { code: 'step-failed', detail: toldOf(error, 'The step', story.flow) };
        const position = Object.keys(story.flow.steps).indexOf(name);
        // Nobody has heard that it did not happen: its undo will look. 0 speaks for the step whatever its last try was.
        story.engine.carry = [...story.engine.carry, { step: name, position, attempt: 0, state: 'unknown', refusal }];
        return { kind: 'failed', refusal };
      }
      // The ledger has it already, and whether its undo is to look.
      case 'stopped':
        return { kind: 'failed', refusal: (stoppedBy(error) as Ending).refusal };
      case 'settled':
      case 'fenced':
      case 'cancel-requested':
      case 'bug':
        throw error;
    }
  }
}
