import type { StepCall, StepReply, UndoCall, WaitCall, WaitReply } from '../../workflows/operation/call.ts';
import type { SaidDone } from '../stores/postgres/ledger/resolutions/pending-resolution.ts';

export type StepActivity = (call: StepCall) => Promise<StepReply>;
export type UndoActivity = (call: UndoCall) => Promise<StepReply>;

/** What a step becomes for Temporal, whatever it does. */
export type StepActivities<Input = unknown, Result = unknown> = {
  readonly kind: 'step';
  readonly step: StepActivity;
  readonly undo: UndoActivity | undefined;
  /** Looks whether what a person says of the step is so; undefined where it cannot be looked for. */
  readonly check?: ((call: StepCall, said: SaidDone) => Promise<unknown>) | undefined;
  /** Never set: what the step takes and gives, for the story that calls it. */
  readonly signature?: { readonly input: Input; readonly result: Result };
};

/** What a step that waits becomes for Temporal. */
export type WaitActivities = {
  readonly kind: 'wait';
  readonly step: (call: WaitCall) => Promise<WaitReply>;
  readonly undo: UndoActivity | undefined;
};
