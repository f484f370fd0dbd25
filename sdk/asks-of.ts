import type { ActionState } from './action-state.ts';

/** What a state asks of the person. While it is `wait`, the button is locked. */
export function asksOf(state: ActionState): 'nothing' | 'wait' | 'act' | 'retry' | 'change' | 'contact' {
  switch (state.status) {
    case 'idle':
    case 'done':
      return 'nothing';
    case 'submitting':
    case 'confirming':
    case 'retrying':
    case 'waiting':
      return 'wait';
    case 'needs_action':
      return 'act';
    case 'refused':
      return state.action === 'contact_support' ? 'contact' : 'change';
    case 'failed':
      return state.retryable ? 'retry' : 'contact';
    case 'unknown':
      return state.reconciling ? 'wait' : 'retry';
  }
}
