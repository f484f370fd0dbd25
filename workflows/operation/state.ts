/** The states of an operation and of a step. The same words stand in SQL checks, in the API and in the docs. */

export const openStates = ['claimed', 'running', 'waiting', 'indeterminate', 'compensating'] as const;
export const settledStates = [
  'succeeded',
  'refused',
  'compensated',
  'compensation_incomplete',
  'cancelled',
  'expired',
] as const;
export const operationStates = [...openStates, ...settledStates] as const;

export type OpenState = (typeof openStates)[number];
export type SettledState = (typeof settledStates)[number];
export type OperationState = OpenState | SettledState;

export const stepStates = ['planned', 'sent', 'done', 'failed', 'unknown', 'undoing', 'undone', 'undo_failed'] as const;
export type StepState = (typeof stepStates)[number];

const settled: ReadonlySet<string> = new Set(settledStates);

export function isSettled(state: OperationState): state is SettledState {
  return settled.has(state);
}
