-- Events that others send us. An event is recorded before anything changes by it; what each handler has made of it is a row
-- beside it.
set local row_security = on;

create table hapax.inbox_event (
  id           text primary key,
  tenant       text not null,
  environment  text not null check (environment in ('live', 'test')),
  source       text not null,
  event        text not null,
  type         text not null,
  object       text,
  body         bytea not null,
  sent_at      timestamptz,
  request_id   text not null,
  received_at  timestamptz not null default now(),
  forget_after timestamptz not null,
  constraint event_is_recorded_once unique (tenant, environment, source, event)
);
comment on column hapax.inbox_event.event is 'the sender''s own id, the same on each delivery';
comment on column hapax.inbox_event.object is 'what the event is about, by the sender''s id';
comment on column hapax.inbox_event.body is 'as it was signed; null bytes and all';
comment on column hapax.inbox_event.request_id is 'of the first delivery';
comment on column hapax.inbox_event.forget_after is 'later than the last time at which the sender repeats it';
create index inbox_event_outlived on hapax.inbox_event (forget_after);

create table hapax.inbox_handling (
  id           text primary key,
  event_id     text not null references hapax.inbox_event on delete cascade,
  tenant       text not null,
  handler      text not null,
  state        text not null default 'due' check (state in ('due', 'parked', 'done', 'dead')),
  fence        bigint not null default 0,
  tries        integer not null default 0,
  due_since    timestamptz not null default now(),
  next_at      timestamptz not null default now(),
  operation_id text,
  code         text,
  detail       text,
  changed_at   timestamptz not null default now(),
  constraint handler_has_an_event_once unique (event_id, handler),
  constraint handling_says_why check (state not in ('parked', 'dead') or (code is not null and detail is not null))
);
comment on column hapax.inbox_handling.state is
  'parked: nobody knows its object yet; dead: no longer tried, until a person replays it';
comment on column hapax.inbox_handling.fence is 'grows with each take; who took it before can no longer write';
comment on column hapax.inbox_handling.due_since is 'since when it is tried; before its first try, since when it is there';
comment on column hapax.inbox_handling.operation_id is 'what the handler began or joined';
create index inbox_handling_due on hapax.inbox_handling (next_at) where state in ('due', 'parked');
create index inbox_handling_listed on hapax.inbox_handling (tenant, changed_at desc, id desc) where state in ('parked', 'dead');

alter table hapax.inbox_event    enable row level security;
alter table hapax.inbox_event    force row level security;
alter table hapax.inbox_handling enable row level security;
alter table hapax.inbox_handling force row level security;
create policy acting_roles on hapax.inbox_event    as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy acting_roles on hapax.inbox_handling as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.inbox_event    to hapax_app using (tenant = hapax.current_tenant());
create policy tenant_only on hapax.inbox_handling to hapax_app using (tenant = hapax.current_tenant());
create policy all_tenants on hapax.inbox_event    to hapax_upkeep using (true);
create policy all_tenants on hapax.inbox_handling to hapax_upkeep using (true);
grant select, insert on hapax.inbox_event to hapax_app;
grant select, insert, update on hapax.inbox_handling to hapax_app;
grant select, delete on hapax.inbox_event to hapax_upkeep;
grant select, update, delete on hapax.inbox_handling to hapax_upkeep;

-- Records an event once, with a row for each handler that it has; false where it is there already. One message and its own
-- transaction: when it has answered, the event is durable. It tells nobody: transactions that notify commit one after the other.
create function hapax.record_event(
  new_id text, of_tenant text, of_environment text, of_source text, of_event text, of_type text, of_object text,
  of_body bytea, of_sending timestamptz, of_request text, keep_ms double precision, handlers text[], handling_ids text[])
returns boolean language plpgsql as $$
begin
  perform set_config('hapax.tenant', of_tenant, true);
  insert into hapax.inbox_event (
    id, tenant, environment, source, event, type, object, body, sent_at, request_id, forget_after)
    values (new_id, of_tenant, of_environment, of_source, of_event, of_type, of_object, of_body, of_sending, of_request,
      now() + keep_ms * interval '1 millisecond')
    on conflict do nothing;
  if not found then
    return false;
  end if;
  insert into hapax.inbox_handling (id, event_id, tenant, handler)
    select each.id, new_id, of_tenant, each.handler from unnest(handling_ids, handlers) as each (id, handler);
  return true;
end $$;

-- Takes what is due, up to half of it fresh, so that what fails again and again keeps nobody waiting. Another process takes the
-- rest; one that dies leaves what it took to the next, after the lease. The time in which it is tried begins with the first try.
create function hapax.take_handlings(at_most integer, lease_ms double precision)
returns table (
  id text, fence bigint, handler text, state text, tries integer, due_ms double precision, tenant text, environment text,
  source text, event text, type text, object text, body bytea, request_id text)
language sql as $$
  with fresh as (
    select h.id from hapax.inbox_handling h
    where h.state = 'due' and h.tries = 0 and h.next_at <= now()
    order by h.next_at limit (at_most + 1) / 2 for update skip locked
  ), others as (
    select h.id from hapax.inbox_handling h
    where h.state in ('due', 'parked') and h.next_at <= now() and h.id not in (select f.id from fresh f)
    order by h.next_at limit at_most - (select count(*) from fresh) for update skip locked
  ), due as (
    select f.id from fresh f union all select o.id from others o
  )
  update hapax.inbox_handling h
  set fence = h.fence + 1, tries = h.tries + 1, next_at = now() + lease_ms * interval '1 millisecond',
      due_since = case when h.tries = 0 then now() else h.due_since end
  from due, hapax.inbox_event e
  where h.id = due.id and e.id = h.event_id
  returning h.id, h.fence, h.handler, h.state, h.tries, extract(epoch from now() - h.due_since) * 1000, e.tenant,
    e.environment, e.source, e.event, e.type, e.object, e.body, e.request_id
$$;

-- What has become of a handling. Who does not hold it any more changes nothing.
create function hapax.end_handling(
  of_id text, held bigint, became text, of_operation text, why text, said text, pause_ms double precision)
returns boolean language plpgsql as $$
begin
  update hapax.inbox_handling h
  set state = became, operation_id = coalesce(of_operation, h.operation_id), code = why, detail = said, changed_at = now(),
      next_at = now() + pause_ms * interval '1 millisecond'
  where h.id = of_id and h.fence = held and h.state in ('due', 'parked');
  return found;
end $$;

-- A person has it tried again, under the same id. Gives no row where there is nothing to replay.
create function hapax.replay_handling(of_id text, of_environment text) returns setof hapax.inbox_handling
language plpgsql as $$
begin
  return query
    update hapax.inbox_handling h
    set state = 'due', fence = h.fence + 1, tries = 0, due_since = now(), next_at = now(), changed_at = now()
    from hapax.inbox_event e
    where h.id = of_id and e.id = h.event_id and e.environment = of_environment and h.state in ('parked', 'dead')
    returning h.*;
  if found then
    perform pg_notify((select name from hapax.news_channel), jsonb_build_object('event', of_id)::text);
  end if;
end $$;

-- What the payment of an order sets off. An order is sent once, and its buyer is credited once, whatever events say so.
create table hapax.shipment (
  id           text primary key,
  tenant       text not null,
  order_id     text not null references hapax.customer_order,
  operation_id text not null,
  requested_at timestamptz not null default now(),
  constraint order_is_shipped_once unique (order_id)
);
create table hapax.store_credit (
  id           text primary key,
  tenant       text not null,
  order_id     text not null references hapax.customer_order,
  operation_id text not null,
  email        text,
  amount_minor bigint not null check (amount_minor > 0),
  currency     text not null,
  credited_at  timestamptz not null default now(),
  constraint order_is_credited_once unique (order_id)
);
alter table hapax.shipment     enable row level security;
alter table hapax.shipment     force row level security;
alter table hapax.store_credit enable row level security;
alter table hapax.store_credit force row level security;
create policy acting_roles on hapax.shipment     as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy acting_roles on hapax.store_credit as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.shipment     to hapax_app using (tenant = hapax.current_tenant());
create policy tenant_only on hapax.store_credit to hapax_app using (tenant = hapax.current_tenant());
grant select, insert on hapax.shipment to hapax_app;
grant select, insert on hapax.store_credit to hapax_app;
