import { z } from 'zod';
import { days, hours, minutes } from './operation/duration.ts';
import { type FailureRows, newKey } from './operation/failures.ts';
import { defineFlow } from './operation/flow.ts';

const emailWords = "give one e-mail address, such as 'ann@example.com'";
/** What no header or command may hold, and one `@` at least. Whether mail can be sent there is asked where the domain can be read. */
const address = /^[^\s\p{C}\p{Zl}\p{Zp}]+@[^\s\p{C}\p{Zl}\p{Zp}@]+$/u;

const passwordWords = 'give a password of at least 8 characters and at most 1,024 bytes';
/** Longer than any passphrase, and short enough to be hashed at once. Bytes of UTF-8. */
const longestPassword = 1_024;

const nameWords = 'give a name of 1 to 100 characters in one line, or leave it out';

const signupFailures = {
  'address-taken': { status: 409, title: 'There is an account with this address', ...newKey },
  'address-unsound': { status: 422, title: 'No mail can be sent to this address', ...newKey },
} as const satisfies FailureRows;

type SignupFailures = typeof signupFailures;
declare module './operation/failures.ts' {
  interface FlowFailures extends SignupFailures {}
}

/** Makes one account for an address, once its owner has confirmed it. */
export const signupFlow = defineFlow({
  name: 'signup',
  version: 1,
  title: 'Sign up',
  description:
    'Holds the address, and sends one mail with a link to it. The account is made when the link was confirmed. The answer is the same ' +
    'whether the address has an account or not, unless the deployment says otherwise (`HAPAX_TAKEN_ADDRESSES`): its owner is told by mail.',
  route: 'signups',
  request: z
    .strictObject({
      email: z
        .string(emailWords)
        .max(254, emailWords)
        .refine((text) => address.test(text), emailWords),
      password: z
        .string(passwordWords)
        .min(8, passwordWords)
        .max(longestPassword, passwordWords)
        .refine((text) => new TextEncoder().encode(text).length <= longestPassword, passwordWords),
      name: z
        .string(nameWords)
        .min(1, nameWords)
        .max(100, nameWords)
        .refine((text) => text.trim() !== '' && !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(text), nameWords)
        .optional(),
    })
    .meta({ examples: [{ email: 'ann@example.com', password: 'correct horse battery staple', name: 'Ann' }] }),
  result: z.object({ accountId: z.string() }).meta({ examples: [{ accountId: 'acc_00000000000000000000000000' }] }),
  intent: ['email', 'password', 'name'],
  sealed: ['email', 'password', 'name'],
  hashed: ['password'],
  anonymous: true,
  keyScope: 'subject',
  // Whoever asks is answered before anybody has looked whether the address is taken.
  answers: 'state',
  workflow: 'tells',
  failures: signupFailures,
  renewsAfter: [],
  patience: minutes(10),
  undoPatience: hours(24),
  personAfter: minutes(15),
  retryHorizon: days(3),
  retention: {
    response: days(30),
    tombstone: days(400),
    because: 'a form that is sent again after a month is a new wish; a tombstone covers a year and a month',
  },
  steps: {
    register: { effect: 'transaction', says: 'Holding the address', undo: 'own', refusable: true },
    verify: {
      effect: 'await',
      says: 'Waiting until the address is confirmed',
      undo: { coveredBy: 'register' },
      placement: 'outside',
      // A mail that came on a Friday evening is read on Monday.
      patience: days(3),
      evidence: z.strictObject({ address: z.literal('confirmed') }).meta({ examples: [{ address: 'confirmed' }] }),
      same: ['address'],
      next: 'Open the link in the mail to the address, and confirm it there.',
      expired: 'The address was not confirmed in time. There is no account, and the address is free: sign up again.',
    },
    activate: { effect: 'transaction', says: 'Making the account', undo: 'nothing', refusable: false },
  },
});
