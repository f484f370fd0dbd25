import type { Row, Statement } from '../database.ts';

export type Line = { readonly sku: string; readonly quantity: number };

export type Reservation = {
  readonly order: string;
  readonly operation: string;
  readonly tenant: string;
  readonly environment: string;
  readonly cart: string;
  readonly email: string | null;
  readonly lines: readonly Line[];
};

/**
 * Prices the cart from the catalogue, inserts the pending order and takes the stock, or shows why not. Rows are locked
 * in the order of their sku, so two carts never deadlock. The order is inserted only when every line can be served;
 * cart_has_one_live_order lets one of two keys through, and order_of_one_operation stops a key whose order has
 * outlived its tombstone.
 */
const text = `
with line as (
  select sku, sum(quantity)::integer as quantity
  from jsonb_to_recordset($7::jsonb) as asked(sku text, quantity integer) group by sku
), priced as (
  select i.sku, line.quantity, i.price_minor, i.currency, i.stock
  from catalogue_item i join line using (sku)
  where i.tenant = $3 and i.environment = $4
  order by i.sku for no key update of i
), cart as (
  select sum(quantity * price_minor) as amount, min(currency) as currency,
    count(*) = (select count(*) from line) and bool_and(stock >= quantity) and count(distinct currency) = 1 as sound
  from priced
), ordered as (
  insert into customer_order (id, tenant, environment, operation_id, cart_id, state, amount_minor, currency, email)
  select $1, $3, $4, $2, $5, 'pending', amount, currency, $6 from cart where sound
  on conflict do nothing
  returning id, amount_minor, currency
), lined as (
  insert into order_line (order_id, tenant, sku, quantity, price_minor)
  select ordered.id, $3, priced.sku, priced.quantity, priced.price_minor from ordered, priced
), taken as (
  update catalogue_item i set stock = i.stock - priced.quantity
  from priced, ordered where i.tenant = $3 and i.environment = $4 and i.sku = priced.sku
)
select case when ordered.id is not null then step_done($2, $8, jsonb_build_object(
    'orderId', ordered.id,
    'amount', jsonb_build_object('minor', ordered.amount_minor, 'currency', ordered.currency))) end as done,
  (select jsonb_agg(sku) from line where sku not in (select sku from priced)) as unknown,
  (select jsonb_agg(jsonb_build_object('sku', sku, 'stock', stock, 'asked', quantity))
     from priced where stock < quantity) as short,
  (select count(distinct currency) from priced)::integer as currencies
from cart left join ordered on true`;

const holder = `
select state, operation_id = $4 as own from customer_order
where tenant = $1 and environment = $2 and (operation_id = $4 or (cart_id = $3 and state in ('pending', 'paid')))
order by own desc limit 1`;

export function reserveOrder(asked: Reservation, step: string): Statement {
  const { order, operation, tenant, environment, cart, email, lines } = asked;
  return {
    name: 'reserve_order',
    text,
    values: [order, operation, tenant, environment, cart, email, JSON.stringify(lines), step],
  };
}

/** The order that stands in the way; `own` if this operation has made one before. */
export function orderHolder({ tenant, environment, cart, operation }: Reservation): Statement {
  return { name: 'order_holder', text: holder, values: [tenant, environment, cart, operation] };
}

/** Why nothing was reserved. */
export type Unreserved =
  | { readonly kind: 'unknown'; readonly skus: readonly string[] }
  | { readonly kind: 'short'; readonly items: readonly { sku: string; stock: number; asked: number }[] }
  | { readonly kind: 'mixed' }
  | { readonly kind: 'taken' };

export function unreserved(row: Row | undefined): Unreserved {
  if (row === undefined) throw new Error('A reservation answers with one row');
  if (row.unknown !== null) return { kind: 'unknown', skus: row.unknown as string[] };
  if (row.short !== null) return { kind: 'short', items: row.short as { sku: string; stock: number; asked: number }[] };
  if ((row.currencies as number) > 1) return { kind: 'mixed' };
  return { kind: 'taken' };
}
