import type { Statement } from '../database.ts';

/** The local stack's catalogue, for each local tenant. Existing rows stay as they are, stock included. */
const text = `
with item as (
  insert into catalogue_item (tenant, environment, sku, name, price_minor, currency, stock)
  select tenant, 'test', sku, name, price, 'eur', stock
  from unnest($1::text[]) as tenant,
    (values ('mug-blue', 'Blue mug', 1250, 1000000),
            ('book-small', 'Small book', 1990, 3),
            ('poster', 'Poster', 800, 0)) as item (sku, name, price, stock)
  on conflict do nothing
), price as (
  insert into item_price (tenant, environment, sku, currency, price_minor)
  select tenant, 'test', 'mug-blue', currency, price
  from unnest($1::text[]) as tenant, (values ('jpy', 2000), ('kwd', 4150)) as price (currency, price)
  on conflict do nothing
)
insert into promo_code (tenant, environment, code, percent, most_uses)
select tenant, 'test', code, percent, most_uses
from unnest($1::text[]) as tenant, (values ('WELCOME10', 10, 1000000), ('GIFT', 100, 1000)) as promo (code, percent, most_uses)
on conflict do nothing`;

export function seedCatalogue(tenants: readonly string[]): Statement {
  return { name: 'seed_catalogue', text, values: [tenants] };
}
