import type { About } from '../../about.ts';
import type { Statement } from '../database.ts';
import type { Price } from './reserve-order.ts';

type Asked = {
  /** The id that the refund is given. */
  readonly refund: string;
  /** The operation that has made the order. */
  readonly checkout: string;
  /** undefined: all that is left. */
  readonly amount: Price | undefined;
  readonly reason: string | undefined;
  /** The currencies of which the provider gives back tens alone. */
  readonly inTens: readonly string[];
};

export type HeldRefund = {
  readonly refundId: string;
  readonly orderId: string;
  readonly payment: string;
  readonly amount: Price;
};

/**
 * Holds money of a paid order, or shows why not. The order's row is locked, so two refunds see each other; what they hold
 * together stays within `never_given_back_more_than_paid`.
 */
const text = `
with asked as (
  select id, tenant, environment, state, payment_intent, amount_minor - given_back_minor as left, currency
  from customer_order where operation_id = $2 and environment = $4 for no key update
), held as (
  insert into order_refund (id, tenant, environment, order_id, operation_id, amount_minor, currency, reason, state)
  select $1, tenant, environment, id, $3, coalesce($5::bigint, "left"), currency, $7, 'asked' from asked
  where state in ('paid', 'cancelled') and payment_intent is not null and coalesce($5::bigint, "left") between 1 and "left"
    and ($6::text is null or currency = $6)
    -- What is left is always in tens; what is asked for may not be.
    and ($5::bigint is null or $5 % 10 = 0 or currency <> all($9::text[]))
  returning order_id, amount_minor, currency
)
select case when held.order_id is not null then step_done($3, $8, jsonb_build_object(
    'refundId', $1::text, 'orderId', held.order_id, 'payment', asked.payment_intent,
    'amount', jsonb_build_object('minor', held.amount_minor, 'currency', held.currency))) end as done,
  asked.state, asked.left::float8 as "left", asked.currency
from asked left join held on true`;

export function holdRefund(asked: Asked, { operation, environment }: About, step: string): Statement {
  const { refund, checkout, amount, reason, inTens } = asked;
  const price = [amount?.minor ?? null, amount?.currency ?? null];
  return {
    name: 'hold_refund',
    text,
    values: [refund, checkout, operation, environment, ...price, reason ?? null, step, inTens],
  };
}
