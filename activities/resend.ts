import { z } from 'zod';
import { minutes, seconds } from '../workflows/operation/duration.ts';
import type { RequestOf, ResultOf } from '../workflows/operation/flow.ts';
import type { Refusal } from '../workflows/operation/outcome.ts';
import { resendFlow } from '../workflows/resend.flow.ts';
import { newSignupLink } from './accounts/signup-link.ts';
import { settleInClaim } from './engine/settle-in-claim.ts';
import type { StatementStep } from './engine/statement-step.ts';
import type { Registration } from './registration.ts';
import type { Seals } from './seal/seals.ts';
import { resendMail } from './stores/postgres/accounts/resend-mail.ts';
import type { Row } from './stores/postgres/database.ts';

/** Mail takes seconds, and people who wait for it press the button again. Milliseconds. */
const pause = minutes(1);

const tell = (seals: Seals): StatementStep<RequestOf<typeof resendFlow>, ResultOf<typeof resendFlow>> => ({
  effect: ({ id }, { operation, tenant, step }) =>
    resendMail({ operation, signup: id, link: newSignupLink(seals, id, tenant), pause }, step),
  result: z.object({ signup: z.string(), mails: z.number() }),
  refusal: notTold,
});

function notTold(row: Row | undefined): Refusal {
  if (row?.became === 'over')
    return {
      code: 'signup-over',
      detail: 'The sign-up has ended: look how, and sign up again if the address is not confirmed.',
    };
  if (row?.became === 'soon') {
    const retryAfter = Math.ceil(Number(row.left) / seconds(1));
    return {
      code: 'resent-too-soon',
      detail: `The mail was sent a moment ago: look for it, or ask again with the same key in ${retryAfter} s.`,
      more: { retryAfter },
    };
  }
  return {
    code: 'signup-unknown',
    detail: 'There is no such sign-up, or it has not begun yet: ask again in a moment.',
  };
}

export const registration: Registration = {
  flow: resendFlow,
  inClaim: (database, seals) => settleInClaim(database, resendFlow, tell(seals)),
};
