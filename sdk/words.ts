import type { ActionState } from './action-state.ts';

/**
 * The recommended words for each state. They say what happens, and whether to wait, to try again or to change something. Another
 * language is another table; `{ ...english, done: 'Thank you!' }` changes some of them.
 */
export const english = {
  idle: '',
  submitting: 'Processing…',
  submittingSlow: 'Still trying. Please wait.',
  confirming: 'Confirming…',
  confirmingSlow: 'Still confirming. Please wait.',
  retrying: 'Still trying. Please wait.',
  waiting: 'In progress. You may leave this page: it goes on.',
  waitingSlow: 'This takes longer than usual. Please wait, nothing is lost.',
  undoing: 'It did not work. We are undoing it. Please wait.',
  redirect: 'Please confirm on the page that opens.',
  needsAction: 'Please do the next step.',
  done: 'Done.',
  changePaymentMethod: 'The payment was declined. Please choose another payment method.',
  fixRequest: 'This cannot be done as entered. Please correct it.',
  contactSupport: 'We cannot finish this. Please contact us.',
  failed: 'It did not work. Please try again: nothing is done twice.',
  failedForGood: 'It did not work, and trying again will not help. Please contact us.',
  reconciling: 'We are finding out what happened. Please wait, and do not start again.',
  unknown: 'We do not know yet whether it worked. Please try again: nothing is done twice.',
};

export type Words = Readonly<Record<keyof typeof english, string>>;

/** What to tell a person about a state. */
export function wordsFor(state: ActionState, words: Words = english): string {
  return words[wordKey(state)];
}

function wordKey(state: ActionState): keyof Words {
  switch (state.status) {
    case 'idle':
    case 'retrying':
    case 'done':
      return state.status;
    case 'submitting':
      return state.slow ? 'submittingSlow' : 'submitting';
    case 'confirming':
      return state.slow ? 'confirmingSlow' : 'confirming';
    case 'waiting':
      if (state.undoing) return 'undoing';
      return state.slow ? 'waitingSlow' : 'waiting';
    case 'needs_action':
      return state.url === undefined ? 'needsAction' : 'redirect';
    case 'refused':
      return refusedKey(state);
    case 'failed':
      return state.retryable ? 'failed' : 'failedForGood';
    case 'unknown':
      return state.reconciling ? 'reconciling' : 'unknown';
  }
}

function refusedKey({ action }: Extract<ActionState, { status: 'refused' }>): keyof Words {
  switch (action) {
    case 'change_payment_method':
      return 'changePaymentMethod';
    case 'contact_support':
      return 'contactSupport';
    case 'fix_request':
    // A refusal never advises to wait or to try the same again.
    case 'wait':
    case 'retry':
      return 'fixRequest';
  }
}
