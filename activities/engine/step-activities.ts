import type { StepCall, StepReply, UndoCall, WaitCall, WaitReply } from '../../workflows/operation/call.ts';
import type { RetrySchedule } from '../../workflows/operation/retry-schedule.ts';
import type { Guard } from './guard.ts';
import type { SaidDone } from '../stores/postgres/ledger/resolutions/pending-resolution.ts';

/**
 * `guard` stands before the outside system that the step is declared to call, and `schedule` says when it is sent again;
 * undefined for a step that calls none.
 */
export type StepActivity = (call: StepCall, guard: Guard, schedule?: RetrySchedule) => Promise<StepReply>;
export type UndoActivity = (call: UndoCall, guard: Guard, schedule?: RetrySchedule) => Promise<StepReply>;

/** The activities of one step. */
export type StepActivities<Input = unknown, Result = unknown> = {
  readonly kind: 'step';
  readonly step: StepActivity;
  readonly undo: UndoActivity | undefined;
  /** Checks what a person says of the step; undefined if it cannot be checked. */
  readonly check?: ((call: StepCall, said: SaidDone, guard: Guard) => Promise<unknown>) | undefined;
  /** Never set. It carries the types of input and result to the story. */
  readonly signature?: { readonly input: Input; readonly result: Result };
};

/** The activities of a step that waits. */
export type WaitActivities = {
  readonly kind: 'wait';
  readonly step: (call: WaitCall, guard: Guard) => Promise<WaitReply>;
  readonly undo: UndoActivity | undefined;
};
