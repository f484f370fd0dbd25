import { z } from 'zod';
import { settleInClaim } from '../../../activities/engine/settle-in-claim.ts';
import type { StatementStep } from '../../../activities/engine/statement-step.ts';
import type { Registration } from '../../../activities/registration.ts';
import type { RequestOf } from '../../../workflows/operation/flow.ts';
import { enquiryFlow } from './enquiry.flow.ts';

/** The table that a database needs for its messages. */
export const messageTable = `
create schema enquiry;
create table enquiry.message (operation_id text primary key, tenant text not null, words text not null);
alter table enquiry.message enable row level security;
create policy tenant_only on enquiry.message to hapax_app using (tenant = hapax.current_tenant());
grant usage on schema enquiry to hapax_app;
grant select, insert on enquiry.message to hapax_app;`;

const text = `
with sent as (
  insert into enquiry.message (operation_id, tenant, words) values ($1, current_tenant(), $3) returning operation_id
)
select step_done($1, $2, jsonb_build_object('messageId', (select operation_id from sent))) as done`;

const send: StatementStep<RequestOf<typeof enquiryFlow>, { readonly messageId: string }> = {
  effect: ({ words }, { operation, step }) => ({ name: 'send_message', text, values: [operation, step, words] }),
  result: z.object({ messageId: z.string() }),
  refusal: () => ({ code: 'request-invalid', detail: 'A message is never refused.' }),
};

export const enquiryRegistration: Registration = {
  flow: enquiryFlow,
  inClaim: (database) => settleInClaim(database, enquiryFlow, send),
};
