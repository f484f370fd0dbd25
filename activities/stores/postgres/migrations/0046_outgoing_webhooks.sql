-- Events leave as signed webhooks: a delivery for each endpoint that wants an event, beside those of mail and text messages.
set local row_security = on;

create table hapax.webhook_endpoint (
  id               text primary key check (id ~ '^we_[0-9a-z]{26}$'),
  tenant           text not null,
  environment      text not null check (environment in ('live', 'test')),
  url              text not null,
  types            text[],
  description      text,
  created_by       text not null,
  created_at       timestamptz not null default now(),
  disabled_at      timestamptz,
  disabled_because text,
  deleted_at       timestamptz,
  constraint endpoint_wants_something check (cardinality(types) > 0),
  constraint disabled_endpoint_says_why check ((disabled_at is null) = (disabled_because is null))
);
comment on table hapax.webhook_endpoint is 'Where a tenant has its events sent.';
comment on column hapax.webhook_endpoint.id is 'made of the key of the request that created it: the same for each retry';
comment on column hapax.webhook_endpoint.types is 'the types of the events that it wants; null: all';
comment on column hapax.webhook_endpoint.disabled_at is 'nothing is sent until an operator enables it again';
comment on column hapax.webhook_endpoint.deleted_at is 'its row stays, so that a late retry does not create it anew';
create index endpoint_listed on hapax.webhook_endpoint (tenant, environment, created_at desc, id desc) where deleted_at is null;

create table hapax.webhook_secret (
  id          text primary key check (id ~ '^ws_[0-9a-z]{26}$'),
  endpoint_id text not null references hapax.webhook_endpoint on delete cascade,
  tenant      text not null,
  secret      text,
  made_at     timestamptz not null default now(),
  signs_until timestamptz,
  constraint secret_is_kept_while_it_signs check (secret is not null or signs_until is not null)
);
comment on table hapax.webhook_secret is 'What signs the webhooks of an endpoint: the newest secret, and for a while the one before.';
comment on column hapax.webhook_secret.id is 'made of the key of the request that created it: the same for each retry';
comment on column hapax.webhook_secret.secret is 'null once it signs nothing any more';
create unique index endpoint_has_one_newest_secret on hapax.webhook_secret (endpoint_id) where signs_until is null;
create index secret_of_endpoint on hapax.webhook_secret (endpoint_id);

alter table hapax.webhook_endpoint enable row level security;
alter table hapax.webhook_endpoint force row level security;
create policy acting_roles on hapax.webhook_endpoint as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.webhook_endpoint to hapax_app using (tenant = hapax.current_tenant());
create policy all_tenants on hapax.webhook_endpoint to hapax_upkeep using (true);
grant select, insert, update on hapax.webhook_endpoint to hapax_app;
grant select, update on hapax.webhook_endpoint to hapax_upkeep;

alter table hapax.webhook_secret enable row level security;
alter table hapax.webhook_secret force row level security;
create policy acting_roles on hapax.webhook_secret as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.webhook_secret to hapax_app using (tenant = hapax.current_tenant());
create policy all_tenants on hapax.webhook_secret to hapax_upkeep using (true);
grant select, insert, update on hapax.webhook_secret to hapax_app;
grant select on hapax.webhook_secret to hapax_upkeep;

-- A message may have several deliveries now, so that the trigger names each. Those of mail keep the ids that they have.
alter table hapax.delivery
  alter column id drop expression,
  add column endpoint_id text references hapax.webhook_endpoint on delete cascade,
  drop constraint delivery_channel_check,
  add constraint delivery_channel_check check (channel in ('mail', 'sms', 'webhook')),
  add constraint webhook_has_an_endpoint check ((channel = 'webhook') = (endpoint_id is not null)),
  drop constraint message_is_delivered_once,
  add constraint message_is_delivered_once unique nulls not distinct (message_id, endpoint_id);
comment on column hapax.delivery.endpoint_id is 'where a webhook goes: a message has a delivery for each endpoint that wants it';
create index delivery_due_to_endpoint on hapax.delivery (endpoint_id, next_at)
  where endpoint_id is not null and state in ('due', 'sending');
-- Mail does not look through the webhooks that wait.
drop index hapax.delivery_due;
create index delivery_due on hapax.delivery (next_at) where endpoint_id is null and state in ('due', 'sending');
create index delivery_of_endpoint on hapax.delivery (endpoint_id, id) where endpoint_id is not null and state <> 'sent';
create or replace function hapax.take_deliveries(of_channels text[], at_most integer, lease_ms double precision)
returns table (
  id text, fence bigint, in_doubt boolean, tries integer, due_ms double precision, message_id text, tenant text,
  environment text, channel text, aggregate_id text, operation_id text, type text, payload jsonb, occurred_at timestamptz,
  may_have_left_by text, may_have_left_ms double precision)
language sql as $$
  with due as (
    select d.id from hapax.delivery d
    where d.endpoint_id is null and d.state in ('due', 'sending') and d.channel = any(of_channels) and d.next_at <= now()
    order by d.next_at limit at_most for update skip locked
  )
  update hapax.delivery d
  set fence = d.fence + 1, tries = d.tries + 1, next_at = now() + lease_ms * interval '1 millisecond'
  from due, hapax.outbox o
  where d.id = due.id and o.id = d.message_id
  returning d.id, d.fence, d.may_have_left_by is not null, d.tries, extract(epoch from now() - d.due_since) * 1000, o.id, o.tenant,
    o.environment, o.channel, o.aggregate_id, o.operation_id, o.type, o.payload, o.occurred_at,
    d.may_have_left_by, extract(epoch from now() - d.may_have_left_at) * 1000
$$;
-- Deleting an endpoint takes what has not left with it.
grant delete on hapax.delivery to hapax_app;

create or replace function hapax.plan_delivery() returns trigger language plpgsql as $$
begin
  insert into hapax.delivery (id, message_id, tenant, channel)
  values ('dl_' || substr(new.id, 5), new.id, new.tenant, new.channel);
  return null;
end $$;

create function hapax.plan_webhooks() returns trigger language plpgsql as $$
begin
  insert into hapax.delivery (id, message_id, tenant, channel, endpoint_id)
  select 'dl_' || left(encode(sha256(convert_to(new.id || '/' || e.id, 'utf8')), 'hex'), 26), new.id, new.tenant, 'webhook', e.id
  from hapax.webhook_endpoint e
  where e.tenant = new.tenant and e.environment = new.environment and e.deleted_at is null and e.disabled_at is null
    and (e.types is null or new.type = any(e.types));
  return null;
end $$;
create trigger outbox_goes_to_endpoints after insert on hapax.outbox
  for each row when (new.channel = 'event') execute function hapax.plan_webhooks();
comment on function hapax.plan_webhooks is 'Plans a delivery of an event for each endpoint that wants its type.';

-- Takes webhooks that are due, and of no endpoint more than it may have under way: one that hangs leaves the other places free. The
-- endpoint that has the fewest under way comes first, and so does the tenant: a tenant with many endpoints gets no more than another.
create function hapax.take_webhooks(
  at_most integer, for_each integer, busy text[], under_way integer[], lease_ms double precision)
returns table (
  id text, fence bigint, tries integer, due_ms double precision, message_id text, tenant text, environment text, channel text,
  aggregate_id text, operation_id text, type text, payload jsonb, occurred_at timestamptz, may_have_left_by text,
  may_have_left_ms double precision, aggregate_type text, sequence bigint, cause text, endpoint_id text, url text,
  disabled boolean, deleted boolean, secrets text[])
language sql as $$
  with recursive open_endpoint as (
    (select d.endpoint_id from hapax.delivery d
    where d.endpoint_id is not null and d.state in ('due', 'sending') order by d.endpoint_id limit 1)
    union all
    select (
      select d.endpoint_id from hapax.delivery d
      where d.endpoint_id > o.endpoint_id and d.state in ('due', 'sending') order by d.endpoint_id limit 1)
    from open_endpoint o where o.endpoint_id is not null
  ), busy_endpoint as (
    select b.endpoint_id, b.count, e.tenant
    from unnest(busy, under_way) as b (endpoint_id, count) join hapax.webhook_endpoint e on e.id = b.endpoint_id
  ), share as (
    select one.id, one.tenant, one.next_at, coalesce(b.count, 0) + row_number() over (
      partition by o.endpoint_id order by one.next_at) as place
    from open_endpoint o
    left join busy_endpoint b on b.endpoint_id = o.endpoint_id
    cross join lateral (
      select d.id, d.tenant, d.next_at from hapax.delivery d
      where d.endpoint_id = o.endpoint_id and d.state in ('due', 'sending') and d.next_at <= now()
      order by d.next_at limit greatest(0, for_each - coalesce(b.count, 0))) one
  ), candidate as (
    select s.id from (
      select s.id, s.next_at, row_number() over (partition by s.tenant order by s.place, s.next_at)
        + (select coalesce(sum(b.count), 0) from busy_endpoint b where b.tenant = s.tenant) as turn
      from share s) s
    order by s.turn, s.next_at limit at_most
  ), due as (
    select d.id from hapax.delivery d
    where d.id in (select c.id from candidate c) and d.state in ('due', 'sending') and d.next_at <= now()
    for update skip locked
  )
  update hapax.delivery d
  set fence = d.fence + 1, tries = d.tries + 1, next_at = now() + lease_ms * interval '1 millisecond'
  from due, hapax.outbox o, hapax.webhook_endpoint e
  where d.id = due.id and o.id = d.message_id and e.id = d.endpoint_id
  returning d.id, d.fence, d.tries, extract(epoch from now() - d.due_since) * 1000, o.id, o.tenant, o.environment, d.channel,
    o.aggregate_id, o.operation_id, o.type, o.payload, o.occurred_at, d.may_have_left_by,
    extract(epoch from now() - d.may_have_left_at) * 1000, o.aggregate_type, o.sequence, o.cause, e.id, e.url,
    e.disabled_at is not null, e.deleted_at is not null, (
      select array_agg(s.secret order by s.made_at desc) from hapax.webhook_secret s
      where s.endpoint_id = e.id and s.secret is not null and (s.signs_until is null or s.signs_until > now()))
$$;
comment on function hapax.take_webhooks is 'Leases webhooks that are due, a fair share for each endpoint.';

-- A new secret, beside which the former one signs for a while. The same id makes none twice. False where there is no such endpoint.
create function hapax.rotate_webhook_secret(
  of_endpoint text, of_environment text, new_id text, new_secret text, beside_ms double precision)
returns boolean language plpgsql as $$
begin
  perform from hapax.webhook_endpoint e
  where e.id = of_endpoint and e.environment = of_environment and e.deleted_at is null for no key update;
  if not found then
    return false;
  end if;
  if exists (select from hapax.webhook_secret s where s.id = new_id) then
    return true;
  end if;
  update hapax.webhook_secret s set secret = null where s.endpoint_id = of_endpoint and s.signs_until <= now();
  update hapax.webhook_secret s set signs_until = now() + beside_ms * interval '1 millisecond'
  where s.endpoint_id = of_endpoint and s.signs_until is null;
  insert into hapax.webhook_secret (id, endpoint_id, tenant, secret, made_at)
  select new_id, e.id, e.tenant, new_secret, clock_timestamp() from hapax.webhook_endpoint e where e.id = of_endpoint;
  return true;
end $$;
comment on function hapax.rotate_webhook_secret is 'Makes a new secret of an endpoint, and lets the former one sign beside it for a while.';
