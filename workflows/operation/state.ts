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

/** An operation begins as `waiting` if its first step waits for its caller. */
export const firstStates = ['claimed', 'waiting'] as const satisfies readonly OpenState[];
export type FirstState = (typeof firstStates)[number];

/**
 * The states that may follow each state; a settled one is final. The ledger holds every writer to the same list
 * (`hapax.may_move`), and ARCHITECTURE.md shows it.
 */
export const moves = {
  claimed: ['running'],
  running: ['waiting', 'indeterminate', 'compensating', 'succeeded'],
  waiting: ['running', 'indeterminate', 'compensating'],
  indeterminate: ['running', 'waiting', 'compensating', 'succeeded'],
  compensating: ['refused', 'compensated', 'compensation_incomplete', 'cancelled', 'expired'],
} as const satisfies Readonly<Record<OpenState, readonly OperationState[]>>;

export const stepStates = ['planned', 'sent', 'done', 'failed', 'unknown', 'undoing', 'undone', 'undo_failed'] as const;
export type StepState = (typeof stepStates)[number];

const settled: ReadonlySet<string> = new Set(settledStates);

export function isSettled(state: OperationState): state is SettledState {
  return settled.has(state);
}
