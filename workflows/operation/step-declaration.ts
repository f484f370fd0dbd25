import type { z } from 'zod';
import type { Placement } from './budget.ts';
import type { EventEnd } from './event.ts';

/** What a flow says about one of its steps. The engine holds a story to it, and `defineFlow` proves it (`step-faults.ts`). */
export type StepDeclaration = RowStepDeclaration | OutsideStepDeclaration | AwaitDeclaration;

type Common = {
  /** Shown to people while the step runs. */
  readonly says: string;
};

/** How an effect is taken back. */
type Undo =
  /** By an undo of its own. */
  | 'own'
  /** The step leaves nothing behind, such as a check. */
  | 'nothing'
  /** It cannot be taken back, such as a letter that was sent. Nothing may be refused behind it. */
  | 'irreversible'
  /** By the undo of that earlier step. */
  | { readonly coveredBy: string };

type Doing = Common & {
  readonly undo: Undo;
  /**
   * Whether the outside can definitively say no, such as a declined card. A refusal that is not declared is a bug, never an
   * undo.
   */
  readonly refusable: boolean;
  /**
   * Once this step has been sent, neither a cancel nor the end of patience stops the story. A refusal behind it still
   * does, and is undone. Irreversible steps do the same without saying so.
   */
  readonly uncancellable?: true;
  /**
   * Its failure is recorded and listed, and the story goes on. `within` is how long it is asked for, so that an outside
   * system that is away neither holds up the story nor uses up its patience. Milliseconds.
   */
  readonly optional?: { readonly within: number };
};

/** Rows of ours, committed together with the step's own row. */
export type RowStepDeclaration = Doing & {
  readonly effect: 'transaction';
  readonly placement?: never;
  readonly calls?: never;
  readonly resolvedAs?: never;
};

/**
 * The outside system that a step calls, by its name in `activities/outside/systems.ts`. The step and its undo then share
 * that system's breaker, its bulkhead and its budget of retries with every other step that calls it. Without it, as for
 * PostgreSQL and the object store, nothing stands between step and store.
 */
type Calling = { readonly calls?: string };

/** `keyed`: an outside system that honours the downstream key. `natural`: idempotent without a key. */
export type OutsideStepDeclaration = Doing &
  Calling & {
    readonly effect: 'keyed' | 'natural';
    /** Where the step runs and on what budget, undo included. */
    readonly placement: Exclude<Placement, 'ledger'>;
    /**
     * The result that an operator gives after finding out that the step has happened. Its `check` verifies that. Without
     * it the step cannot be resolved as done.
     */
    readonly resolvedAs?: z.ZodObject;
  };

/** Something that comes from outside: bytes, a customer at the bank's page, a webhook, a link in a mail. It may expire. */
export type AwaitDeclaration = Common &
  Calling & {
    readonly effect: 'await';
    readonly undo: Exclude<Undo, 'irreversible'>;
    /** The budget of its undo, and of looking for evidence that nobody has reported. */
    readonly placement: Exclude<Placement, 'ledger'>;
    /** How long it is waited for. The flow's own patience stands still meanwhile. Milliseconds. */
    readonly patience: number;
    /**
     * How often it is looked for outside while nobody reports it (`adopt` of its activities); without it, only at the end.
     * Milliseconds.
     */
    readonly looksEvery?: number;
    /** The form of what comes. */
    readonly evidence: z.ZodObject;
    /** The fields by which two pieces of evidence say the same: a repetition is answered alike, another is refused. */
    readonly same: readonly string[];
    /** The event that ends the wait, where one does. */
    readonly on?: EventEnd;
    /** What the caller is told is next, as a sentence. */
    readonly next: string;
    /** What the caller is told when nothing has come in time. */
    readonly expired: string;
    readonly refusable?: never;
    readonly uncancellable?: never;
    readonly optional?: never;
    readonly resolvedAs?: never;
  };

/** The budget that a step is done and undone on. */
export function placementOf({ placement }: StepDeclaration): Placement {
  return placement ?? 'ledger';
}

export function isIrreversible({ undo }: StepDeclaration): boolean {
  return undo === 'irreversible';
}

/** Whether the step can refuse the operation. A wait can, since it may expire. */
export function isRefusable(step: StepDeclaration): boolean {
  return step.effect === 'await' || step.refusable;
}

/** Whether cancel and patience no longer stop the story once this step has been sent. */
export function isUncancellable(step: StepDeclaration): boolean {
  return step.uncancellable === true || isIrreversible(step);
}

/** Whether the undo of step `by` takes this step back. */
export function isCoveredBy({ undo }: StepDeclaration, by: string): boolean {
  return typeof undo === 'object' && undo.coveredBy === by;
}
