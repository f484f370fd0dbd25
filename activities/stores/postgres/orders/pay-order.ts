import type { Statement } from '../database.ts';

/** Marks the order as paid and puts its receipt into the outbox. A repetition changes nothing. */
const text = `
with paid as (
  update customer_order set state = 'paid', payment_intent = $2, paid_at = now()
  where operation_id = $1 and state = 'pending'
  returning id, tenant, operation_id, amount_minor, currency, email
)
insert into outbox (tenant, operation_id, aggregate, sequence, type, payload)
select tenant, operation_id, id, 1, 'receipt.requested',
  jsonb_build_object('order', id, 'amount', amount_minor, 'currency', currency, 'email', email)
from paid
returning step_done($1, $3, null) as done`;

export function payOrder(operation: string, paymentIntent: string, step: string): Statement {
  return { name: 'pay_order', text, values: [operation, paymentIntent, step] };
}
