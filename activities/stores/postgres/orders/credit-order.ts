import type { About } from '../../about.ts';
import type { Statement } from '../database.ts';

/** A twentieth of what was paid. It is rounded up, so every paid order gets at least one minor unit. */
const credited = '(amount_minor + 19) / 20';

/** Credits the buyer of a paid order, or finds it done. `order_is_credited_once` lets one event through. */
const text = `
with spoken_of as (
  select id, tenant, state, payment_intent, email, amount_minor, currency from customer_order where id = $1 and environment = $6 for share
), given as (
  insert into store_credit (id, tenant, order_id, operation_id, email, amount_minor, currency)
  select $3, tenant, id, $4, email, ${credited}, currency from spoken_of where state = 'paid' and payment_intent = $2
  on conflict (order_id) do nothing
  returning id
), standing as (
  select id from given union all
  select made.id from store_credit made join spoken_of on made.order_id = spoken_of.id where spoken_of.payment_intent = $2
)
select case when (select min(id) from standing) is not null
    then step_done($4, $5, jsonb_build_object('creditId', (select min(id) from standing))) end as done,
  (select state from spoken_of) as state, (select payment_intent from spoken_of) as payment`;

type Asked = { readonly orderId: string; readonly paymentIntent: string };

/** @param credit the id that it is given */
export function creditOrder({ orderId, paymentIntent }: Asked, credit: string, about: About, step: string): Statement {
  const { operation, environment } = about;
  return { name: 'credit_order', text, values: [orderId, paymentIntent, credit, operation, step, environment] };
}
