import { messageId } from '../../../../workflows/operation/key.ts';
import type { Statement } from '../database.ts';
import { linkValues, type SignupLink } from './link-values.ts';

const text = `
with resent as materialized (select resend_signup_mail($3, $4, $5, $6, $7, $8) as became)
select became ->> 'became' as became, (became ->> 'left')::float8 as left,
  case became ->> 'became' when 'told'
    then step_done($1, $2, jsonb_build_object('signup', $3::text, 'mails', (became ->> 'mails')::integer)) end as done
from resent`;

type Resending = {
  /** The operation that asks for the mail. */
  readonly operation: string;
  readonly signup: string;
  readonly link: SignupLink;
  /** How long after the first mail the second may be asked for. Milliseconds. */
  readonly pause: number;
};

export function resendMail({ operation, signup, link, pause }: Resending, step: string): Statement {
  const message = messageId(operation, 'signup');
  return { name: 'resend_mail', text, values: [operation, step, signup, message, ...linkValues(link), pause] };
}
