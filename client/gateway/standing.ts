import { isSettled, type OpenState, type OperationState } from '../../workflows/operation/state.ts';
import type { Trouble } from '../../workflows/operation/trouble.ts';

/** Where an open operation stands. */
export type Standing = { readonly state: OpenState; readonly trouble: Trouble | null };

export function openState(state: OperationState): OpenState {
  if (isSettled(state)) throw new Error(`An operation without an answer cannot be ${state}`);
  return state;
}
