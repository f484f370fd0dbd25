-- The shop that checkout sells from: prices and stock are ours, never the client's.

create table hapax.catalogue_item (
  tenant      text not null,
  environment text not null check (environment in ('live', 'test')),
  sku         text not null,
  name        text not null,
  price_minor bigint not null check (price_minor > 0),
  currency    text not null check (currency ~ '^[a-z]{3}$'),
  stock       integer not null,
  primary key (tenant, environment, sku),
  constraint stock_is_never_negative check (stock >= 0)
);

create table hapax.customer_order (
  id             text primary key,
  tenant         text not null,
  environment    text not null,
  operation_id   text not null, -- the order outlives the ledger row
  cart_id        text not null,
  state          text not null check (state in ('pending', 'paid', 'released')),
  amount_minor   bigint not null check (amount_minor > 0),
  currency       text not null,
  payment_intent text,
  email          text,
  created_at     timestamptz not null default now(),
  paid_at        timestamptz,
  constraint order_of_one_operation unique (operation_id),
  constraint order_is_paid_by_a_payment check (state <> 'paid' or (payment_intent is not null and paid_at is not null))
);

-- Two keys for one cart: before any money, only one of them gets an order.
create unique index cart_has_one_live_order on hapax.customer_order (tenant, environment, cart_id)
  where state in ('pending', 'paid');

create table hapax.order_line (
  order_id    text not null references hapax.customer_order on delete cascade,
  tenant      text not null,
  sku         text not null,
  quantity    integer not null check (quantity > 0),
  price_minor bigint not null,
  primary key (order_id, sku)
);

alter table hapax.catalogue_item enable row level security;
alter table hapax.customer_order enable row level security;
alter table hapax.order_line     enable row level security;
create policy tenant_only on hapax.catalogue_item to hapax_app using (tenant = hapax.current_tenant());
create policy tenant_only on hapax.customer_order to hapax_app using (tenant = hapax.current_tenant());
create policy tenant_only on hapax.order_line     to hapax_app using (tenant = hapax.current_tenant());
grant select, update (stock) on hapax.catalogue_item to hapax_app;
grant select, insert, update on hapax.customer_order to hapax_app;
grant select, insert on hapax.order_line to hapax_app;
