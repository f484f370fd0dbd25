import type { About } from '../../about.ts';
import type { Statement } from '../database.ts';
import type { Price } from './reserve-order.ts';

type Asked = {
  /** The id that its refund is given. */
  readonly refund: string;
  readonly orderId: string;
  readonly reason: string | undefined;
};

export type Withdrawn = {
  /** null: it cost nothing. */
  readonly payment: string | null;
  /** What is left to give back; it is held. */
  readonly amount: Price;
  readonly refundId: string;
};

/** Takes a paid order back and holds all that is left of its money, or shows why not. */
const text = `
with asked as (
  select id, tenant, environment, state, payment_intent, amount_minor - given_back_minor as left, given_back_minor, currency
  from customer_order where id = $2 and environment = $4 for no key update
), refunding as (
  -- What a refund holds that is not made may become free again, and nobody would give that back. The order's row is as it is behind
  -- the lock, and counts what its refunds hold; the refunds' own rows are as they were when this statement began.
  select asked.id from asked where given_back_minor <> (
    select coalesce(sum(r.amount_minor), 0) from order_refund r where r.order_id = asked.id and r.state = 'made')
), withdrawn as (
  update customer_order o set state = 'cancelling', cancelled_by = $3 from asked
  where o.id = asked.id and asked.state = 'paid' and not exists (select from refunding)
  returning o.id
), held as (
  insert into order_refund (id, tenant, environment, order_id, operation_id, amount_minor, currency, reason, state)
  select $1, tenant, environment, asked.id, $3, "left", currency, $5, 'asked' from asked join withdrawn using (id)
  where "left" > 0
)
select case when withdrawn.id is not null then step_done($3, $6, jsonb_build_object(
    'payment', asked.payment_intent, 'refundId', $1::text,
    'amount', jsonb_build_object('minor', asked.left, 'currency', asked.currency))) end as done,
  asked.state, asked.left::float8 as "left", asked.currency, exists (select from refunding) as refunding
from asked left join withdrawn on true`;

/** The order is as it was. It happens once, since only an order that is being cancelled is restored. */
const restored = `
with refund as (
  update order_refund set state = 'withdrawn', ended_at = now() where operation_id = $1 and state = 'asked'
)
update customer_order set state = 'paid', cancelled_by = null where cancelled_by = $1 and state = 'cancelling'`;

export function withdrawOrder(asked: Asked, { operation, environment }: About, step: string): Statement {
  const { refund, orderId, reason } = asked;
  return {
    name: 'withdraw_order',
    text,
    values: [refund, orderId, operation, environment, reason ?? null, step],
  };
}

export function restoreOrder(operation: string): Statement {
  return { name: 'restore_order', text: restored, values: [operation] };
}
