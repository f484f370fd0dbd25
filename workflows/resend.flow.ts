import { z } from 'zod';
import { days, hours, minutes } from './operation/duration.ts';
import { type FailureRows, newKey, wait } from './operation/failures.ts';
import { defineFlow } from './operation/flow.ts';

const resendFailures = {
  'signup-unknown': { status: 404, title: 'There is no such sign-up', ...newKey },
  'signup-over': { status: 409, title: 'The sign-up has ended', ...newKey },
  'resent-too-soon': {
    status: 429,
    title: 'The mail was sent a moment ago',
    ...wait,
    retryAfter: 60,
    stored: false,
  },
} as const satisfies FailureRows;

type ResendFailures = typeof resendFailures;
declare module './operation/failures.ts' {
  interface FlowFailures extends ResendFailures {}
}

/** Sends the mail of a sign-up again, with a link of its own. One key is one mail. */
export const resendFlow = defineFlow({
  name: 'resend',
  version: 1,
  title: 'Send the mail of a sign-up again',
  description:
    'The new mail has a link of its own; links of earlier mails work until they expire. A minute has to pass between two mails, and ' +
    'twice as long before each further one.',
  route: 'signups/{id}/resend',
  request: z
    .strictObject({ id: z.string().regex(/^op_[0-9a-z]{26}$/, "give the id of a sign-up: 'op_' and 26 characters") })
    .meta({ examples: [{ id: 'op_00000000000000000000000000' }] }),
  result: z
    .object({ signup: z.string(), mails: z.int().describe('How many mails this sign-up has asked for.') })
    .meta({ examples: [{ signup: 'op_00000000000000000000000000', mails: 2 }] }),
  intent: ['id'],
  anonymous: true,
  keyScope: 'subject',
  answers: 'outcome',
  workflow: 'never',
  failures: resendFailures,
  renewsAfter: [],
  patience: minutes(10),
  undoPatience: hours(1),
  personAfter: minutes(15),
  retryHorizon: days(3),
  retention: {
    response: days(30),
    tombstone: days(400),
    because: 'as long as the answer of the sign-up that it belongs to',
  },
  steps: {
    tell: { effect: 'transaction', says: 'Telling the address again', undo: 'nothing', refusable: true },
  },
});
