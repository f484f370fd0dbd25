import type { StepCall, StepReply, UndoCall } from '../../workflows/operation/call.ts';
import type { SaidDone } from '../stores/postgres/ledger/resolutions/pending-resolution.ts';

export type StepActivity = (call: StepCall) => Promise<StepReply>;
export type UndoActivity = (call: UndoCall) => Promise<StepReply>;

/** What a step becomes for Temporal, whatever it does. */
export type StepActivities = {
  readonly step: StepActivity;
  readonly undo: UndoActivity | undefined;
  /** Looks whether what a person says of the step is so; undefined where it cannot be looked for. */
  readonly check?: ((call: StepCall, said: SaidDone) => Promise<unknown>) | undefined;
};
