import type { Statement } from '../database.ts';

/** Marks the order as paid, books its money, and puts its receipt into the outbox. A repetition changes nothing. */
const text = `
with paid as (
  update customer_order set state = 'paid', payment_intent = $2, paid_at = now()
  where operation_id = $1 and state = 'pending'
  returning id, tenant, environment, operation_id, payment_intent, amount_minor, currency, email
), booked as (
  insert into money_fact (
    provider, object, kind, tenant, environment, amount_minor, currency, payment, order_id, operation_id, happened_at)
  select $4, payment_intent, 'captured', tenant, environment, amount_minor, currency, payment_intent, id, operation_id, now()
  from paid where payment_intent is not null
  on conflict do nothing
)
insert into outbox (tenant, operation_id, aggregate, sequence, type, payload)
select tenant, operation_id, id, 1, 'receipt.requested',
  jsonb_build_object('order', id, 'amount', amount_minor, 'currency', currency, 'email', email)
from paid
returning step_done($1, $3, null) as done`;

/** `object` is the payment by the provider's id; null where the order costs nothing. */
type Payment = { readonly provider: string; readonly object: string | null };

export function payOrder(operation: string, { provider, object }: Payment, step: string): Statement {
  return { name: 'pay_order', text, values: [operation, object, step, provider] };
}
