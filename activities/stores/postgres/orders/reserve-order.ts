import type { Row, Statement } from '../database.ts';

export type Line = { readonly sku: string; readonly quantity: number };

/** Minor units, and the currency in lower case. */
export type Price = { readonly minor: number; readonly currency: string };

export type Reservation = {
  readonly order: string;
  readonly operation: string;
  readonly tenant: string;
  readonly environment: string;
  readonly cart: string;
  /** Sealed. */
  readonly email: string | null;
  /** What the buyer may be known by, where a promo code asks for it: the first as it is stored; empty: unknown. */
  readonly buyers: readonly string[];
  readonly lines: readonly Line[];
  /** What the buyer was shown; null: nobody said it. */
  readonly expected: Price | null;
  /** null: none. */
  readonly promo: string | null;
  /** In which the buyer pays; null: in that of the items. */
  readonly currency: string | null;
  /** Currencies that are charged in tens of their minor unit. */
  readonly inTens: readonly string[];
  /** All currencies that can be charged. */
  readonly charged: readonly string[];
};

/**
 * Prices the cart from the catalogue, inserts the pending order and takes the stock, or shows why not. Rows are locked
 * in the order of their sku, so two carts never deadlock. The order is inserted only when every line can be served;
 * cart_has_one_live_order lets one of two keys through, and order_of_one_operation stops a key whose order has
 * outlived its tombstone. A promo code's row is locked too, and the order counts its use; where each buyer may use it once,
 * `promo_used_by` looks under every name that the buyer may have, and promo_is_used_once_by_each_buyer lets one order through.
 */
const text = `
with line as (
  select sku, sum(quantity)::integer as quantity
  from jsonb_to_recordset($7::jsonb) as asked(sku text, quantity integer) group by sku
), priced as (
  select i.sku, line.quantity, i.stock, coalesce($12, i.currency) as currency,
    case when coalesce($12, i.currency) <> all($14::text[]) then null
      when $12::text is null or $12 = i.currency then i.price_minor else p.price_minor end as price_minor
  from catalogue_item i join line using (sku)
    left join item_price p on p.tenant = i.tenant and p.environment = i.environment and p.sku = i.sku and p.currency = $12
  where i.tenant = $3 and i.environment = $4
  order by i.sku for no key update of i
), promo as (
  select percent, off_minor, currency, used < most_uses as free, expires_at is null or expires_at > now() as valid, once_by_buyer
  from promo_code where tenant = $3 and environment = $4 and code = $11 for no key update
), full_cart as (
  select sum(quantity * price_minor)::bigint as price, min(currency) as currency,
    count(*) = (select count(*) from line) and bool_and(stock >= quantity) and count(distinct currency) = 1
      and bool_and(price_minor is not null) as sound
  from priced
), cart as (
  -- Without a code there is nothing to take off, but what is left has to be an amount that can be charged.
  select c.price, c.currency, c.sound, discount(c.price, promo.percent,
      case when promo.percent is null then coalesce(case when promo.currency = c.currency then promo.off_minor end, 0) end,
      case when c.currency = any($13::text[]) then 10 else 1 end) as discount,
    $11::text is null or coalesce(promo.free and promo.valid and (promo.off_minor is null or promo.currency = c.currency), false)
      as offered,
    -- A code that each buyer may use once needs to know who that is.
    case when promo.once_by_buyer then ($15::text[])[1] end as buyer, promo.once_by_buyer and $6::text is null as nameless,
    -- Asked once the code's row is locked: it sees every order that had the lock before, whatever name that one was stored under.
    case when promo.once_by_buyer then promo_used_by($3, $4, $11, $15) else false end as used
  from full_cart c left join promo on true
), asked as (
  -- What the buyer was shown, if the caller says it.
  select *, price - discount as amount, $9::bigint is null or (price - discount = $9 and currency = $10) as expected from cart
), ordered as (
  insert into customer_order (
    id, tenant, environment, operation_id, cart_id, state, amount_minor, currency, email, promo, promo_buyer, discount_minor,
    subject)
  select $1, $3, $4, $2, $5, 'pending', amount, currency, $6, $11, buyer, discount,
    (select o.subject from operation o where o.id = $2)
  from asked
  where sound and offered and expected and nameless is not true and not used
  on conflict do nothing
  returning id, amount_minor, currency, discount_minor
), lined as (
  insert into order_line (order_id, tenant, sku, quantity, price_minor)
  select ordered.id, $3, priced.sku, priced.quantity, priced.price_minor from ordered, priced
), taken as (
  update catalogue_item i set stock = i.stock - priced.quantity
  from priced, ordered where i.tenant = $3 and i.environment = $4 and i.sku = priced.sku
)
select case when ordered.id is not null then step_done($2, $8, jsonb_build_object(
    'orderId', ordered.id,
    'amount', jsonb_build_object('minor', ordered.amount_minor, 'currency', ordered.currency)) ||
    case when ordered.discount_minor = 0 then '{}' else jsonb_build_object('discount',
      jsonb_build_object('minor', ordered.discount_minor, 'currency', ordered.currency)) end) end as done,
  (select jsonb_agg(sku) from line where sku not in (select sku from priced)) as unknown,
  (select jsonb_agg(jsonb_build_object('sku', sku, 'stock', stock, 'asked', quantity))
     from priced where stock < quantity) as short,
  (select jsonb_agg(sku) from priced where price_minor is null) as unpriced,
  (select count(distinct currency) from priced)::integer as currencies, asked.expected, asked.offered,
  asked.amount::float8 as amount, asked.currency, asked.nameless, promo.free, promo.valid
from asked left join ordered on true left join promo on true`;

const holder = `
select state, operation_id = $4 as own from customer_order
where tenant = $1 and environment = $2
  and (operation_id = $4 or (cart_id = $3 and state in ('pending', 'paid', 'cancelling')))
order by own desc limit 1`;

const promoHolder = `
select exists (select from customer_order where tenant = $1 and environment = $2 and promo = $3 and state = 'pending')
  -- It may have been given back since.
  or exists (select from promo_code where tenant = $1 and environment = $2 and code = $3 and used < most_uses) as pending`;

const promoBuyer = `
select state = 'pending' as pending from customer_order
where tenant = $1 and environment = $2 and promo = $3 and promo_buyer = any($4) and state <> 'released'`;

export function reserveOrder(asked: Reservation, step: string): Statement {
  const { order, operation, tenant, environment, cart, email, lines, expected, promo, currency } = asked;
  const { inTens, charged, buyers } = asked;
  return {
    name: 'reserve_order',
    text,
    values: [
      ...[order, operation, tenant, environment, cart, email, JSON.stringify(lines), step],
      ...[expected?.minor ?? null, expected?.currency ?? null, promo, currency, inTens, charged, buyers],
    ],
  };
}

/** The order that stands in the way; `own` if this operation has made one before. */
export function orderHolder({ tenant, environment, cart, operation }: Reservation): Statement {
  return { name: 'order_holder', text: holder, values: [tenant, environment, cart, operation] };
}

/** Whether an order that is not paid yet holds a use of the code. */
export function promoPending({ tenant, environment, promo }: Reservation): Statement {
  return { name: 'promo_pending', text: promoHolder, values: [tenant, environment, promo] };
}

/** The order with which the buyer uses the code, where each may use it once. */
export function promoUse({ tenant, environment, promo, buyers }: Reservation): Statement {
  return { name: 'promo_use', text: promoBuyer, values: [tenant, environment, promo, buyers] };
}

/** Why nothing was reserved. */
export type Unreserved =
  | { readonly kind: 'unknown'; readonly skus: readonly string[] }
  | { readonly kind: 'short'; readonly items: readonly { sku: string; stock: number; asked: number }[] }
  | { readonly kind: 'mixed' }
  | { readonly kind: 'unpriced'; readonly skus: readonly string[] }
  | { readonly kind: 'promo'; readonly because: Unoffered }
  | { readonly kind: 'priced'; readonly now: Price }
  | { readonly kind: 'taken' };

type Unoffered = 'unknown' | 'expired' | 'used' | 'unfit' | 'nameless';

export function unreserved(row: Row | undefined): Unreserved {
  if (row === undefined) throw new Error('A reservation answers with one row');
  if (row.unknown !== null) return { kind: 'unknown', skus: row.unknown as string[] };
  if (row.short !== null) return { kind: 'short', items: row.short as { sku: string; stock: number; asked: number }[] };
  if (row.unpriced !== null) return { kind: 'unpriced', skus: row.unpriced as string[] };
  if ((row.currencies as number) > 1) return { kind: 'mixed' };
  if (row.offered === false) return { kind: 'promo', because: unoffered(row) };
  if (row.nameless === true) return { kind: 'promo', because: 'nameless' };
  if (row.expected === false)
    return { kind: 'priced', now: { minor: row.amount as number, currency: row.currency as string } };
  return { kind: 'taken' };
}

function unoffered({ free, valid }: Row): Unoffered {
  if (valid === null) return 'unknown';
  if (valid === false) return 'expired';
  return free === false ? 'used' : 'unfit';
}
