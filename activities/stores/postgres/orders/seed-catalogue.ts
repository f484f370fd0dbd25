import type { Statement } from '../database.ts';

/** The local stack's catalogue, for each local tenant. Existing rows stay as they are, stock included. */
const text = `
insert into catalogue_item (tenant, environment, sku, name, price_minor, currency, stock)
select tenant, 'test', sku, name, price, 'eur', stock
from unnest($1::text[]) as tenant,
  (values ('mug-blue', 'Blue mug', 1250, 1000000),
          ('book-small', 'Small book', 1990, 3),
          ('poster', 'Poster', 800, 0)) as item (sku, name, price, stock)
on conflict do nothing`;

export function seedCatalogue(tenants: readonly string[]): Statement {
  return { name: 'seed_catalogue', text, values: [tenants] };
}
