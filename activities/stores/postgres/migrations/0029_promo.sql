-- Promo codes, prices in several currencies, and orders that cost nothing.
set local row_security = on;

-- A code takes a share off, or an amount. It is counted with the order that uses it, so no race uses it once too often.
create table hapax.promo_code (
  tenant      text not null,
  environment text not null check (environment in ('live', 'test')),
  code        text not null,
  percent     integer check (percent between 1 and 100),
  off_minor   bigint check (off_minor > 0),
  currency    text check (currency ~ '^[a-z]{3}$'),
  most_uses   integer not null check (most_uses > 0),
  used        integer not null default 0,
  expires_at  timestamptz,
  primary key (tenant, environment, code),
  constraint promo_is_not_used_too_often check (used between 0 and most_uses),
  constraint promo_takes_a_share_or_an_amount check (num_nonnulls(percent, off_minor) = 1),
  constraint promo_amount_has_a_currency check ((off_minor is null) = (currency is null))
);
comment on column hapax.promo_code.used is 'by orders that were not released; the trigger on customer_order counts it';

-- What an item costs in other currencies than its own.
create table hapax.item_price (
  tenant      text not null,
  environment text not null,
  sku         text not null,
  currency    text not null check (currency ~ '^[a-z]{3}$'),
  price_minor bigint not null check (price_minor > 0),
  primary key (tenant, environment, sku, currency),
  foreign key (tenant, environment, sku) references hapax.catalogue_item on delete cascade
);

alter table hapax.customer_order
  add column promo text,
  add column discount_minor bigint not null default 0 check (discount_minor >= 0),
  drop constraint customer_order_amount_minor_check,
  add constraint customer_order_amount_minor_check check (amount_minor >= 0),
  drop constraint order_is_paid_by_a_payment,
  add constraint order_is_paid_by_a_payment check (
    state <> 'paid' or (paid_at is not null and (payment_intent is not null) = (amount_minor > 0)));
comment on column hapax.customer_order.amount_minor is 'what the buyer pays, after the discount; 0: nothing, and no payment';
create index order_of_promo on hapax.customer_order (tenant, environment, promo) where state = 'pending' and promo is not null;

create function hapax.count_promo() returns trigger language plpgsql as $$
declare
  before integer := case when tg_op = 'UPDATE' and old.state <> 'released' then 1 else 0 end;
  after integer := case when new.state <> 'released' then 1 else 0 end;
begin
  if before <> after then
    update hapax.promo_code set used = used + after - before
      where tenant = new.tenant and environment = new.environment and code = new.promo;
  end if;
  return null;
end $$;
create trigger order_counts_its_promo after insert or update of state on hapax.customer_order
  for each row when (new.promo is not null) execute function hapax.count_promo();

-- What a code takes off a price, in whole minor units: rounded in the shop's favour, and never more than the price. What is
-- left is a multiple of `step`, which some currencies need, in the buyer's favour.
create function hapax.discount(price bigint, percent integer, off_minor bigint, step integer) returns bigint
language sql immutable as $$
  select price - greatest(0, price - coalesce(off_minor, div(price::numeric * percent, 100)::bigint)) / step * step
$$;

alter table hapax.promo_code enable row level security;
alter table hapax.promo_code force row level security;
alter table hapax.item_price enable row level security;
alter table hapax.item_price force row level security;
create policy acting_roles on hapax.promo_code as restrictive using (current_user in ('hapax_app', 'hapax_upkeep')) with check (true);
create policy owner_adds on hapax.promo_code for insert to current_user with check (true);
create policy acting_roles on hapax.item_price as restrictive using (current_user in ('hapax_app', 'hapax_upkeep')) with check (true);
create policy owner_adds on hapax.item_price for insert to current_user with check (true);
create policy tenant_only on hapax.promo_code to hapax_app using (tenant = hapax.current_tenant());
create policy tenant_only on hapax.item_price to hapax_app using (tenant = hapax.current_tenant());
grant select, update (used) on hapax.promo_code to hapax_app;
grant select on hapax.item_price to hapax_app;
