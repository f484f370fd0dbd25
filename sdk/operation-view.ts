import { isSettled, type OperationState } from '../workflows/operation/state.ts';
import type { ActionState } from './action-state.ts';
import type { Problem } from './problem.ts';
import { stateOfProblem } from './state-of-problem.ts';

/** An operation as the HTTP API shows it, as far as a client reads it. */
export type OperationView = {
  readonly id: string;
  readonly state: OperationState;
  readonly steps?: readonly { readonly name: string; readonly state: string }[];
  readonly result?: unknown;
  readonly problem?: Problem;
  readonly awaits?: string;
  readonly next?: string;
  readonly expiresAt?: string;
  readonly nextAction?: { readonly type: string; readonly url?: string };
  readonly trouble?: { readonly needs?: string };
};

/** Where an action stands, by what the server says of its operation. */
export function stateOfOperation(key: string, view: OperationView): ActionState {
  const { id: operation, state } = view;
  if (isSettled(state)) return stateOfEnd(key, view);
  switch (state) {
    case 'indeterminate':
      return { status: 'unknown', key, operation, reconciling: true };
    case 'waiting':
      return needed(key, view);
    case 'claimed':
    case 'running':
    case 'compensating':
      return waiting(key, view);
  }
}

function stateOfEnd(key: string, { id: operation, state, result, problem }: OperationView): ActionState {
  if (state === 'succeeded') return { status: 'done', key, operation, result };
  // The data of the operation were erased, or its answer has expired: that it ended badly is all that is left.
  if (problem === undefined) return { status: 'failed', key, retryable: false, sameKeySafe: false, problem: undefined };
  return stateOfProblem(key, problem);
}

function needed(key: string, { id: operation, awaits, next, nextAction, expiresAt }: OperationView): ActionState {
  return {
    status: 'needs_action',
    key,
    operation,
    kind: nextAction?.type ?? awaits ?? 'redirect',
    next: next ?? '',
    url: nextAction?.url,
    expiresAt,
  };
}

/** States of a step behind which the story has gone on. */
const passed = new Set(['done', 'skipped', 'failed', 'undone', 'lapsed']);

function waiting(key: string, { id: operation, state, steps = [], trouble }: OperationView): ActionState {
  return {
    status: 'waiting',
    key,
    operation,
    undoing: state === 'compensating',
    slow: trouble !== undefined,
    step: steps.find((one) => !passed.has(one.state))?.name,
    progress: { done: steps.filter((one) => passed.has(one.state)).length, of: steps.length },
  };
}
