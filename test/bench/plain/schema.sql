-- The plain shop's own tables. Prices and stock are the catalogue's, shared with the other side.
create schema plain;
create table plain.shop_order (
  id             text primary key, -- the workflow's id
  cart_id        text not null,
  state          text not null check (state in ('pending', 'paid')),
  amount_minor   bigint not null,
  currency       text not null,
  payment_intent text,
  email          text,
  created_at     timestamptz not null default now(),
  paid_at        timestamptz
);
create unique index on plain.shop_order (cart_id);
create table plain.order_line (
  order_id    text not null references plain.shop_order,
  sku         text not null,
  quantity    integer not null,
  price_minor bigint not null,
  primary key (order_id, sku)
);
create table plain.receipt (
  order_id   text primary key references plain.shop_order,
  email      text,
  created_at timestamptz not null default now()
);

-- What a bare route keeps of what it is sent.
create table plain.event (id bigint generated always as identity primary key, body bytea not null, at timestamptz not null default now());
