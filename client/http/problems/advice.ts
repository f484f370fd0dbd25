import type { Action } from '../../../workflows/operation/failures.ts';

/** What each action of the failure table asks of the reader, for the problem pages and for OpenAPI. */
export const advice: Readonly<Record<Action, string>> = {
  wait: 'Wait, for as long as Retry-After says if it is given, then ask again with the same key: nothing is done twice.',
  retry: 'Ask again with the same key.',
  change_payment_method: 'Let the buyer choose another payment method, and ask with a new key.',
  fix_request:
    'Correct what `detail` names, then ask again: with the same key if `sameKeySafe` is true, with a new one otherwise.',
  contact_support: 'A person has to look at it: tell support the `requestId` and the operation.',
};
