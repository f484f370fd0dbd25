/** What the provider has made, by its own id. */
export type Made<Id> = { readonly provider: string; readonly object: Id };

/**
 * Parts of a statement that record the refund of operation $1 and book its money: at provider $2, by its id $3; null where
 * nothing was left to give back. The provider's event may have been quicker: then it is recorded already, and may even
 * have failed since.
 */
export const madeRefund = `made as (
  update order_refund set state = case state when 'asked' then 'made' else state end,
    object = coalesce(object, $3), ended_at = coalesce(ended_at, now())
  where operation_id = $1 and state in ('asked', 'made', 'failed') and $3::text is not null
  returning tenant, environment, order_id, amount_minor, currency
), booked as (
  insert into money_fact (
    provider, object, kind, tenant, environment, amount_minor, currency, payment, order_id, operation_id, happened_at)
  select $2, $3, 'refunded', made.tenant, made.environment, made.amount_minor, made.currency, o.payment_intent, o.id, $1, now()
  from made join customer_order o on o.id = made.order_id
  on conflict do nothing
)`;
