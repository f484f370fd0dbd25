import { messageId } from '../../../../workflows/operation/key.ts';
import type { Statement } from '../database.ts';

/** Marks the order as paid, books its money, and tells its buyer by a receipt. A repetition changes nothing. */
const text = `
with paid as (
  update customer_order set state = 'paid', payment_intent = $2, paid_at = now()
  where operation_id = $1 and state = 'pending'
  returning id, tenant, environment, operation_id, payment_intent, amount_minor, currency, discount_minor, email
), booked as (
  insert into money_fact (
    provider, object, kind, tenant, environment, amount_minor, currency, payment, order_id, operation_id, happened_at)
  select $4, payment_intent, 'captured', tenant, environment, amount_minor, currency, payment_intent, id, operation_id, now()
  from paid where payment_intent is not null
  on conflict do nothing
), receipt as (
  select id, operation_id, jsonb_build_object('order', id, 'amount', amount_minor, 'currency', currency,
    'discount', discount_minor, 'email', email, 'items', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'name', coalesce(i.name, l.sku), 'quantity', l.quantity, 'price', l.price_minor) order by l.sku), '[]')
      from order_line l left join catalogue_item i
        on i.tenant = paid.tenant and i.environment = paid.environment and i.sku = l.sku
      where l.order_id = paid.id)) as says
  from paid
)
select step_done($1, $3, null) as done
from receipt, lateral tell($5, operation_id, 'mail', 'order', id, 'receipt.requested', says) as told
where told is not null`;

/** `object` is the payment by the provider's id; null where the order costs nothing. */
type Payment = { readonly provider: string; readonly object: string | null };

export function payOrder(operation: string, { provider, object }: Payment, step: string): Statement {
  const receipt = messageId(operation, 'receipt.requested');
  return { name: 'pay_order', text, values: [operation, object, step, provider, receipt] };
}
