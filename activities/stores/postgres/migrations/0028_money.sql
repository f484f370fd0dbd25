-- Money that always adds up. Each fact about money is one row with two sides, booked once, and never changed: events and
-- look-ups in any order come to the same set of facts, and what has become of an order follows from them.
set local row_security = on;

create table hapax.money_fact (
  provider     text not null,
  object       text not null,
  kind         text not null check (kind in (
                 'captured', 'fee', 'refunded', 'refund_failed', 'disputed', 'dispute_won', 'paid_out')),
  tenant       text not null,
  environment  text not null check (environment in ('live', 'test')),
  amount_minor bigint not null check (amount_minor > 0),
  currency     text not null check (currency ~ '^[a-z]{3}$'),
  debit        text not null generated always as (case kind
                 when 'captured' then 'receivable' when 'fee' then 'fee' when 'refunded' then 'refund'
                 when 'refund_failed' then 'receivable' when 'disputed' then 'dispute' when 'dispute_won' then 'receivable'
                 when 'paid_out' then 'payout' end) stored,
  credit       text not null generated always as (case kind
                 when 'captured' then 'revenue' when 'refund_failed' then 'refund' when 'dispute_won' then 'dispute'
                 else 'receivable' end) stored,
  payment      text,
  order_id     text,
  operation_id text,
  happened_at  timestamptz not null,
  recorded_at  timestamptz not null default now(),
  confirmed_at timestamptz,
  constraint fact_is_booked_once primary key (provider, object, kind)
);
comment on column hapax.money_fact.object is 'what moved the money, by the provider''s id: a payment, a refund, a dispute, a payout';
comment on column hapax.money_fact.payment is 'by the provider''s id; null where the money is of no payment';
comment on column hapax.money_fact.order_id is 'the fact outlives the order';
comment on column hapax.money_fact.operation_id is 'the operation that moved it; null where nobody here did';
comment on column hapax.money_fact.happened_at is 'by the provider''s clock, or ours where the provider has not said yet';
comment on column hapax.money_fact.confirmed_at is 'when the provider''s own ledger has shown it';
create index money_fact_of_order on hapax.money_fact (order_id);
create index money_fact_recorded on hapax.money_fact (recorded_at);
create index money_fact_unconfirmed on hapax.money_fact (recorded_at) where confirmed_at is null;

-- The accounts. All of a tenant's accounts in one currency add up to nothing, since each fact has two sides.
create view hapax.money_balance with (security_invoker = true) as
select f.tenant, f.environment, f.currency, side.account, sum(side.amount)::bigint as balance_minor
from hapax.money_fact f, lateral (values (f.debit, f.amount_minor), (f.credit, -f.amount_minor)) as side (account, amount)
group by f.tenant, f.environment, f.currency, side.account;

-- What is given back of an order. It is held before the provider is asked, so that two refunds never exceed what was paid.
create table hapax.order_refund (
  id           text primary key,
  tenant       text not null,
  environment  text not null check (environment in ('live', 'test')),
  order_id     text not null references hapax.customer_order,
  operation_id text,
  amount_minor bigint not null check (amount_minor > 0),
  currency     text not null,
  reason       text,
  state        text not null check (state in ('asked', 'made', 'failed', 'withdrawn')),
  object       text,
  asked_at     timestamptz not null default now(),
  ended_at     timestamptz,
  constraint refund_of_one_operation unique (operation_id),
  constraint refund_is_known_once unique (object),
  constraint refund_is_made_at_the_provider check (state not in ('made', 'failed') or object is not null)
);
comment on column hapax.order_refund.operation_id is 'null where it was made at the provider, by somebody else';
comment on column hapax.order_refund.state is 'failed: made, and sent back by the buyer''s bank; withdrawn: never made';
comment on column hapax.order_refund.object is 'the refund by the provider''s id';
create index order_refund_of_order on hapax.order_refund (order_id);

alter table hapax.customer_order
  add column given_back_minor bigint not null default 0,
  add column cancelled_by text,
  add column cancelled_at timestamptz,
  add constraint never_given_back_more_than_paid check (given_back_minor between 0 and amount_minor),
  add constraint order_is_cancelled_by_an_operation check (state not in ('cancelling', 'cancelled') or cancelled_by is not null),
  drop constraint customer_order_state_check,
  add constraint customer_order_state_check check (state in ('pending', 'paid', 'released', 'cancelling', 'cancelled'));
comment on column hapax.customer_order.cancelled_by is 'the operation that cancels it';
comment on column hapax.customer_order.given_back_minor is 'what its refunds hold or have given back; the trigger on order_refund counts it';
drop index hapax.cart_has_one_live_order;
create unique index cart_has_one_live_order on hapax.customer_order (tenant, environment, cart_id)
  where state in ('pending', 'paid', 'cancelling');

create index order_cancelled_by on hapax.customer_order (cancelled_by) where cancelled_by is not null;

-- Whatever writes a refund, the order counts it, and the order's rule refuses one too many.
create function hapax.count_refund() returns trigger language plpgsql as $$
declare
  before bigint := case when tg_op = 'UPDATE' and old.state in ('asked', 'made') then old.amount_minor else 0 end;
  after bigint := case when new.state in ('asked', 'made') then new.amount_minor else 0 end;
begin
  if before <> after then
    update hapax.customer_order set given_back_minor = given_back_minor + after - before where id = new.order_id;
  end if;
  return null;
end $$;
create trigger order_counts_its_refunds after insert or update of state, amount_minor on hapax.order_refund
  for each row execute function hapax.count_refund();

-- What was set off by the payment of an order that was cancelled since.
alter table hapax.shipment add column withdrawn_at timestamptz;
alter table hapax.store_credit add column withdrawn_at timestamptz;

-- What does not add up and nobody but a person can mend. It shows as the trouble of the operation behind it.
create table hapax.money_difference (
  id           text primary key,
  tenant       text not null,
  environment  text not null check (environment in ('live', 'test')),
  kind         text not null check (kind in (
                 'refund-failed', 'amount-differs', 'missing-at-provider', 'money-held', 'unknown-payment')),
  provider     text not null,
  object       text not null,
  fact         text not null,
  payment      text,
  order_id     text,
  operation_id text,
  ours_minor   bigint,
  theirs_minor bigint,
  currency     text not null,
  says         text not null,
  since        timestamptz not null default now(),
  looked_at    timestamptz not null default now(),
  ended_at     timestamptz,
  ended_by     text,
  reason       text,
  constraint difference_is_listed_once unique (provider, object, kind, fact),
  constraint difference_ends_with_a_reason check ((ended_at is null) = (reason is null))
);
comment on column hapax.money_difference.fact is 'the kind of fact that differs; empty where it is of none';
comment on column hapax.money_difference.ours_minor is 'null where we have booked nothing';
comment on column hapax.money_difference.theirs_minor is 'null where the provider shows nothing';
comment on column hapax.money_difference.ended_by is 'who has dealt with it; null: it was over by itself';
create index money_difference_of_operation on hapax.money_difference (operation_id) where ended_at is null;
create index money_difference_open on hapax.money_difference (provider, kind) where ended_at is null;
create index money_difference_of_order on hapax.money_difference (order_id);
create index money_difference_listed on hapax.money_difference (tenant, environment, since desc, id desc);

-- How far the provider's ledger was read, and what came of it.
create table hapax.money_pass (
  id         bigint generated always as identity primary key,
  provider   text not null,
  read_from  timestamptz not null,
  covered_until timestamptz,
  started_at timestamptz not null default now(),
  ended_at   timestamptz,
  movements  bigint not null default 0,
  booked     bigint not null default 0,
  unassigned bigint not null default 0
);
comment on column hapax.money_pass.read_from is 'movements since then were compared, by the provider''s clock';
comment on column hapax.money_pass.covered_until is 'until then no movement was left out, by this pass and those before it';
comment on column hapax.money_pass.booked is 'facts that the provider had and we had not';
comment on column hapax.money_pass.unassigned is 'movements that are of nothing here';
create index money_pass_newest on hapax.money_pass (provider, started_at desc);

alter table hapax.money_fact       enable row level security;
alter table hapax.money_fact       force row level security;
alter table hapax.order_refund     enable row level security;
alter table hapax.order_refund     force row level security;
alter table hapax.money_difference enable row level security;
alter table hapax.money_difference force row level security;
alter table hapax.money_pass       enable row level security;
alter table hapax.money_pass       force row level security;
create policy acting_roles on hapax.money_pass as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.money_pass to hapax_upkeep using (true);
create policy acting_roles on hapax.money_fact       as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy acting_roles on hapax.order_refund     as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy acting_roles on hapax.money_difference as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.money_fact       to hapax_app using (tenant = hapax.current_tenant());
create policy tenant_only on hapax.order_refund     to hapax_app using (tenant = hapax.current_tenant());
create policy tenant_only on hapax.money_difference to hapax_app using (tenant = hapax.current_tenant());
create policy all_tenants on hapax.money_fact       to hapax_upkeep using (true);
create policy all_tenants on hapax.order_refund     to hapax_upkeep using (true);
create policy all_tenants on hapax.money_difference to hapax_upkeep using (true);
create policy all_tenants on hapax.customer_order   to hapax_upkeep using (true);
grant select, insert on hapax.money_fact to hapax_app;
grant select, insert, update (state, object, ended_at) on hapax.order_refund to hapax_app;
grant select, insert, update (looked_at, ours_minor, theirs_minor, says, ended_at, ended_by, reason) on hapax.money_difference to hapax_app;
grant update (withdrawn_at) on hapax.shipment, hapax.store_credit to hapax_app;
grant select, insert, update, delete on hapax.money_pass to hapax_upkeep;
grant select on hapax.money_balance to hapax_app, hapax_upkeep;
grant select, insert, update (confirmed_at) on hapax.money_fact to hapax_upkeep;
grant select, insert, update on hapax.order_refund, hapax.money_difference to hapax_upkeep;
grant select, update (given_back_minor) on hapax.customer_order to hapax_upkeep;
