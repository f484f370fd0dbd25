import type { StepDeclaration } from './step-declaration.ts';
import type { Environment } from './key.ts';
import type { Outcome, Refusal } from './outcome.ts';
import type { OpenState, SettledState, StepState } from './state.ts';

/**
 * What passes between a story and the activities that touch the outside. It is plain data, kept in Temporal's history.
 */

export type OperationRef = {
  readonly id: string;
  readonly tenant: string;
  readonly environment: Environment;
  readonly flow: string;
};

/**
 * What the claimer knows of an operation that nobody has held yet. With it a story begins at once, and its first step
 * takes the operation over in its own transaction. Without it the story first looks into the ledger.
 */
export type Opening = {
  readonly request: Readonly<Record<string, unknown>>;
  readonly requestId: string;
  /** How much of the flow's patience was used up when the run was requested, by the ledger's clock. Milliseconds. */
  readonly age: number;
};

/** The right to write: an operation and the fence that its latest take-over was given. */
export type Hold = {
  readonly operation: OperationRef;
  readonly fence: number;
};

/**
 * A step that has ended and is not in the ledger yet. It goes into the operation's next ledger transaction, which
 * saves a flush for each step. Until then its row says `sent`, and a recovery sends it again under the same key.
 */
export type Finished = {
  readonly step: string;
  readonly position: number;
  readonly attempt: number;
} & (
  | { readonly state: 'done' | 'undone'; readonly result: unknown }
  /** `unknown`: the step may have happened, and the story goes on without it. */
  | { readonly state: 'failed' | 'unknown' | 'undo_failed'; readonly refusal: Refusal }
);

export type Settlement = {
  readonly outcome: Outcome;
  /** The id of the request that began the operation. Problems name it. */
  readonly requestId: string;
  /** The same key will name a new generation. */
  readonly renewable: boolean;
  /** How long the answer and the tombstone live, from the settling. Milliseconds. */
  readonly keep: { readonly response: number; readonly tombstone: number };
  /** How long after the settling upkeep looks for what came too late outside; null if nothing can. Milliseconds. */
  readonly sweepAfter: number | null;
};

export type StepCall<Input = unknown> = Hold & {
  readonly step: string;
  readonly position: number;
  readonly input: Input;
  readonly carry: readonly Finished[];
  readonly effect: StepDeclaration['effect'];
  /** Once it is sent, neither a cancel nor the end of patience stops the story. */
  readonly noReturn: boolean;
  /** Once it is sent, nothing is undone any more. */
  readonly irreversible: boolean;
  /** Without it the story goes on. */
  readonly optional?: true;
  /** It was tried before, by this run or another, so a person may have said something of it. */
  readonly again?: true;
  /** The flow's time without progress until a person is asked for. Milliseconds. */
  readonly personAfter: number;
  /** The flow's patience. After it neither the story nor its step of no return is begun. Milliseconds. */
  readonly patience: number;
  /** The run that takes the operation over with this step. Nobody may have held it before. */
  readonly opens?: string;
  /** The story ends with this step: outcome and effect are committed together. */
  readonly settlement?: Settlement;
};

export type StepReply<Result = unknown> = {
  readonly result: Result;
  /** Absent if the step's own transaction has recorded it. */
  readonly finished?: Finished;
};

/** A step that waits: the activity only looks whether something has arrived. */
export type WaitCall = Hold & {
  readonly step: string;
  readonly position: number;
  /** How long it is waited for, from its beginning. Milliseconds. */
  readonly patience: number;
  /** The fields by which two pieces of evidence say the same. */
  readonly same: readonly string[];
  readonly personAfter: number;
  readonly carry: readonly Finished[];
  readonly again?: true;
  /** Nobody has reported anything for a while: look outside. */
  readonly looks?: true;
};

export type WaitReply<Result = unknown> =
  | { readonly kind: 'arrived'; readonly result: Result }
  /** The deadline has passed, and nothing will count any more. */
  | { readonly kind: 'closed' }
  /** `remaining` is the time until the wait ends, by PostgreSQL's clock. Milliseconds. */
  | { readonly kind: 'waiting'; readonly remaining: number };

export type UndoCall = Hold & {
  readonly step: string;
  readonly personAfter: number;
  readonly carry: readonly Finished[];
};

/** How an operation that did not succeed is going to end, once its undos have run. */
export type Ending = {
  readonly state: Exclude<SettledState, 'succeeded' | 'compensation_incomplete'>;
  readonly refusal: Refusal;
};

export type Taken =
  | { readonly kind: 'settled'; readonly state: SettledState }
  | {
      readonly kind: 'taken';
      readonly state: OpenState;
      readonly fence: number;
      readonly request: Readonly<Record<string, unknown>>;
      readonly requestId: string;
      /** When a story that waits for its caller gives up. Milliseconds since 1970, by PostgreSQL's clock. */
      readonly deadline: number | null;
      readonly ending: Ending | null;
      /** How much of the flow's patience is used up. Milliseconds. */
      readonly age: number;
      /** The step of no return may have been sent: from here the story only goes forward. */
      readonly forward: boolean;
      /** Results of the steps that are done: a resumed story does not call them again. */
      readonly done: Readonly<Record<string, unknown>>;
    };

export type CompensationPlan =
  | { readonly kind: 'undo'; readonly ending: Ending; readonly steps: readonly { step: string; state: StepState }[] }
  /** Such an ending undoes nothing of what was done: the story only goes forward. */
  | { readonly kind: 'forward' };

/** The ledger's own moves, which every flow shares. */
export type LedgerMoves = {
  take(call: { readonly operation: OperationRef; readonly run: string }): Promise<Taken>;
  compensate(call: Hold & { readonly carry: readonly Finished[]; readonly ending: Ending }): Promise<CompensationPlan>;
  settle(call: Hold & { readonly carry: readonly Finished[]; readonly settlement: Settlement }): Promise<void>;
  /** Throws if the operation may not go on: cancelled, taken over or settled. */
  proceed(call: Hold): Promise<void>;
  /** The flow's code is at fault, and a person has to see it. Throws `stopped` if a person has given the step up. */
  reportBug(
    call: Hold & { readonly step: string; readonly says: string; readonly carry: readonly Finished[] },
  ): Promise<void>;
  /** This run leaves, though the operation is open, so upkeep has to look at it soon. */
  leave(call: { readonly operation: OperationRef }): Promise<void>;
  requestCancel(call: { readonly operation: OperationRef }): Promise<void>;
};

/**
 * What an activity throws across Temporal's boundary, known by these names. `refused` carries a Refusal; `stopped`, of a step
 * that a person has found to have had no effect, the Ending of its operation.
 */
export type Thrown = 'refused' | 'stopped' | 'fenced' | 'settled' | 'cancel-requested' | 'impatient' | 'held-before';

/** Activity names are derived: unique over the worker, readable in Temporal's UI. */
export const activityName = (flow: string, step: string): string => `${flow}.${step}`;
export const undoActivityName = (flow: string, step: string): string => `${flow}.${step}.undo`;
