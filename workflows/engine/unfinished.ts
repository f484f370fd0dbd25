import type { Ending } from '../operation/call.ts';
import type { Refusal } from '../operation/outcome.ts';

/** Why a piece of work has ended without a result. */
export type Why =
  /** The outside has definitively said no. `attempt` is the try that was refused. */
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly attempt: number }
  /** A person has found that the step had no effect, and the ledger has accepted that. */
  | { readonly kind: 'stopped'; readonly ending: Ending }
  /** The ledger knows that the operation has ended. */
  | { readonly kind: 'settled' }
  /** Another run has taken the operation over. */
  | { readonly kind: 'fenced' }
  | { readonly kind: 'cancel-requested' }
  /** The flow's patience has ended. */
  | { readonly kind: 'impatient' }
  /** There is news that the next try should know of. */
  | { readonly kind: 'interrupted' }
  /** The story breaks its declaration. */
  | { readonly kind: 'bug'; readonly step: string }
  /** The run has to end; upkeep starts another. */
  | { readonly kind: 'forward-only' }
  /** The outcome is unknown after the longest allowed time. */
  | { readonly kind: 'failed' };

/** Work that has ended without a result. Any other error is a fault of the story's own code. */
export class Unfinished extends Error {
  override readonly name = 'Unfinished';
  readonly why: Why;
  constructor(why: Why, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.why = why;
  }
}

export function whyOf(error: unknown): Why | undefined {
  return error instanceof Unfinished ? error.why : undefined;
}
