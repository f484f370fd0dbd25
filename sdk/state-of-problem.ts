import type { ActionState } from './action-state.ts';
import type { Problem } from './problem.ts';

/** Where an action stops that was answered with a problem, once nothing more is tried by itself. */
export function stateOfProblem(key: string, problem: Problem): Extract<ActionState, { status: 'refused' | 'failed' }> {
  const { retryable, sameKeySafe, action, status } = problem;
  // A 5xx is our trouble. Whatever else is final is about the request, and its `action` says what to change.
  if (retryable || status >= 500) return { status: 'failed', key, retryable, sameKeySafe, problem };
  return { status: 'refused', key, action, sameKeySafe, problem };
}
