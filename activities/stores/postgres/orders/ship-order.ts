import type { About } from '../../about.ts';
import type { Statement } from '../database.ts';

/** Asks for the shipment of a paid order, or finds it asked for. `order_is_shipped_once` lets one event through. */
const text = `
with spoken_of as (
  select id, tenant, state, payment_intent from customer_order where id = $1 and environment = $6 for share
), shipped as (
  insert into shipment (id, tenant, order_id, operation_id)
  select $3, tenant, id, $4 from spoken_of where state = 'paid' and payment_intent = $2
  on conflict (order_id) do nothing
  returning id
), standing as (
  select id from shipped union all
  select made.id from shipment made join spoken_of on made.order_id = spoken_of.id where spoken_of.payment_intent = $2
)
select case when (select min(id) from standing) is not null
    then step_done($4, $5, jsonb_build_object('shipmentId', (select min(id) from standing))) end as done,
  (select state from spoken_of) as state, (select payment_intent from spoken_of) as payment`;

type Asked = { readonly orderId: string; readonly paymentIntent: string };

/** @param shipment the id that it is given */
export function shipOrder({ orderId, paymentIntent }: Asked, shipment: string, about: About, step: string): Statement {
  const { operation, environment } = about;
  return { name: 'ship_order', text, values: [orderId, paymentIntent, shipment, operation, step, environment] };
}
