import type { z } from 'zod';
import type { Placement } from './budget.ts';

/** What a flow says about one of its steps. The engine holds a story to it, and `defineFlow` proves it (`step-faults.ts`). */
export type StepDeclaration = {
  /**
   * How the effect is made to happen once: `transaction` (rows of ours, committed together with the step's row),
   * `keyed` (an outside system that honours the downstream key), `natural` (idempotent as it is).
   */
  readonly effect: 'transaction' | 'keyed' | 'natural';
  /** Shown to people while the step runs. */
  readonly says: string;
  /**
   * How the effect is taken back.
   * - `own`: by an undo of its own.
   * - `{ coveredBy }`: by the undo of that earlier step.
   * - `nothing`: the step leaves nothing behind, such as a check.
   * - `irreversible`: it cannot be taken back, such as a letter that was sent. Nothing may be refused behind it.
   */
  readonly undo: 'own' | 'nothing' | 'irreversible' | { readonly coveredBy: string };
  /**
   * Whether the outside can definitively say no, such as a declined card. A wait can always be refused: it may expire.
   * A refusal that is not declared is a bug, never an undo.
   */
  readonly refusable: boolean;
  /**
   * Once this step has been sent, neither a cancel nor the end of patience stops the story. A refusal behind it still
   * does, and is undone. Irreversible steps do the same without saying so.
   */
  readonly uncancellable?: true;
  /** Where the step runs and on what budget. Rows of ours are always in the ledger, and say nothing. */
  readonly placement?: Exclude<Placement, 'ledger'>;
  /**
   * Its failure is recorded and listed, and the story goes on. `within` is how long it is asked for, so that an outside
   * system that is away neither holds up the story nor uses up its patience. Milliseconds.
   */
  readonly optional?: { readonly within: number };
  /**
   * What an operator gives as the step's result who has found out that it has happened. Its `check` looks whether that is so.
   * Without it the step cannot be resolved as done.
   */
  readonly resolvedAs?: z.ZodObject;
};

/** The budget that a step is done and undone on. */
export function placementOf({ placement }: StepDeclaration): Placement {
  return placement ?? 'ledger';
}

export function isIrreversible({ undo }: StepDeclaration): boolean {
  return undo === 'irreversible';
}

/** Whether cancel and patience no longer stop the story once this step has been sent. */
export function isUncancellable(step: StepDeclaration): boolean {
  return step.uncancellable === true || isIrreversible(step);
}

/** Whether the undo of step `by` takes this step back. */
export function isCoveredBy({ undo }: StepDeclaration, by: string): boolean {
  return typeof undo === 'object' && undo.coveredBy === by;
}
