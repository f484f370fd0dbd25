import { comparableAddressOf } from '../activities/accounts/comparable-address.ts';
import type { FlowTerms } from '../client/gateway/terms.ts';

/** Takes a sign-up only for an address to which mail can be sent, before its key is used up. */
export const signupTerms: FlowTerms = {
  fills: [],
  filled: (request) => request,
  refusal: async (_database, _call, { email }) =>
    comparableAddressOf(String(email)) === undefined
      ? {
          code: 'request-invalid',
          detail: "Field email: no mail can be sent to this address. Give one such as 'ann@example.com'.",
          more: { errors: [{ pointer: '/email', detail: 'no mail can be sent to this address' }] },
        }
      : undefined,
};
