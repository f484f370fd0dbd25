import { messageId } from '../../../../workflows/operation/key.ts';
import type { Statement } from '../database.ts';
import { linkValues, type SignupLink } from './link-values.ts';

/** `done` is null where the address was not held and its caller is told so. */
const text = `
with begun as materialized (select begin_signup($1, $3, $4, $5, $6, $7, $8, $9) as became)
select became, case when became in ('held', 'silent') then step_done($1, $2, null) end as done from begun`;

type Beginning = {
  readonly operation: string;
  /** The id that its account is given. */
  readonly account: string;
  /** What the address may be known by: the first as it is stored; none: no mail can be sent to it. */
  readonly addresses: readonly string[];
  /** Whether a caller is told that the address is taken. */
  readonly reveals: boolean;
  readonly link: SignupLink;
};

export function beginSignup({ operation, account, addresses, reveals, link }: Beginning, step: string): Statement {
  const message = messageId(operation, 'signup');
  return {
    name: 'begin_signup',
    text,
    values: [operation, step, account, addresses, reveals, message, ...linkValues(link)],
  };
}
