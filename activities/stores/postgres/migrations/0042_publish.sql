-- Events leave from the outbox, published by relays. Each has a row that says how far it has come. Relays share the rows by shards
-- that they lease; a shard holds whole aggregates, so that one relay at a time keeps their order.
set local row_security = on;

create table hapax.publication (
  message_id     text not null references hapax.outbox on delete cascade,
  id             text generated always as ('dl_' || substr(message_id, 5)) stored,
  tenant         text not null,
  environment    text not null,
  aggregate_type text not null,
  aggregate_id   text not null,
  shard          smallint generated always as (
    hashtextextended(tenant || '/' || environment || '/' || aggregate_type || '/' || aggregate_id, 0) & 15) stored,
  place          bigint generated always as identity,
  state          text not null default 'due' check (state in ('due', 'published', 'failed')),
  tried_at       timestamptz,
  tries          integer not null default 0,
  position       bigint,
  published_at   timestamptz,
  code           text,
  detail         text,
  changed_at     timestamptz not null default now(),
  constraint message_is_published_once primary key (message_id),
  constraint what_is_published_has_its_position
    check ((state = 'published') = (position is not null) and (state = 'published') = (published_at is not null)),
  constraint publication_says_why_it_failed check (state <> 'failed' or (code is not null and detail is not null))
);
comment on table hapax.publication is 'How far an event of the outbox has come, which a relay publishes.';
comment on column hapax.publication.id is 'the id of its dead letter, if it becomes one';
comment on column hapax.publication.shard is 'the same for all events of an aggregate';
comment on column hapax.publication.place is
  'drawn under the lock of the aggregate, so in the order of its events. No cursor: a row that commits late may have a low one';
comment on column hapax.publication.state is
  'failed: the broker has refused it; it and the later events of its aggregate wait until a person replays it';
comment on column hapax.publication.tried_at is 'when the broker may first have got it: it knows an id for some time only';
comment on column hapax.publication.tries is 'how often the broker has refused it';
comment on column hapax.publication.position is 'its place in the log of its shard, in the order of publishing, without a gap';
create index publication_due on hapax.publication (shard, place) where state = 'due';
create index publication_blocks on hapax.publication (tenant, environment, aggregate_type, aggregate_id) where state = 'failed';
create index publication_listed on hapax.publication (tenant, changed_at desc, id desc) where state = 'failed';
create unique index publication_has_its_own_position on hapax.publication (shard, position) where position is not null;

alter table hapax.publication enable row level security;
alter table hapax.publication force row level security;
create policy acting_roles on hapax.publication as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.publication to hapax_app using (tenant = hapax.current_tenant());
create policy all_tenants on hapax.publication to hapax_upkeep using (true);
grant select, insert, update on hapax.publication to hapax_app;
grant select, update on hapax.publication to hapax_upkeep;

-- The relays that are at work, and what each has leased.
create table hapax.relay (
  id    text primary key,
  until timestamptz not null
);
comment on table hapax.relay is 'Relays that are at work, so that each takes no more than its share of the shards.';

create table hapax.relay_shard (
  shard    smallint primary key check (shard between 0 and 15),
  holder   text,
  fence    bigint not null default 0,
  until    timestamptz not null default now(),
  position bigint not null default 0
);
comment on table hapax.relay_shard is 'Which relay publishes the events of a shard.';
comment on column hapax.relay_shard.fence is 'grows with each take: a relay that had the shard before records nothing any more';
comment on column hapax.relay_shard.until is 'the end of the lease, which its holder renews';
comment on column hapax.relay_shard.position is 'of the newest event in the log of the shard';
insert into hapax.relay_shard (shard) select generate_series(0, 15);

do $$
declare
  each text;
begin
  foreach each in array array['relay', 'relay_shard'] loop
    execute format('alter table hapax.%I enable row level security', each);
    execute format('alter table hapax.%I force row level security', each);
    execute format(
      'create policy acting_roles on hapax.%I as restrictive using (current_user in (''hapax_app'', ''hapax_upkeep''))', each);
    execute format('create policy all_tenants on hapax.%I to hapax_upkeep using (true)', each);
  end loop;
end $$;
grant select, insert, update, delete on hapax.relay to hapax_upkeep;
grant select, update on hapax.relay_shard to hapax_upkeep;

-- What was told before this migration is not published: whoever begins to listen today does not expect the events of last year.
create function hapax.plan_publication() returns trigger language plpgsql as $$
begin
  insert into hapax.publication (message_id, tenant, environment, aggregate_type, aggregate_id)
  values (new.id, new.tenant, new.environment, new.aggregate_type, new.aggregate_id);
  return null;
end $$;
create trigger outbox_is_published after insert on hapax.outbox
  for each row when (new.channel = 'event') execute function hapax.plan_publication();
comment on function hapax.plan_publication is
  'Plans the publication of an event. It runs while the aggregate is locked, also where the former build writes the outbox.';

-- Renews a relay's leases and takes free shards up to its share. Gives what it holds. A lease that has ended and that nobody else
-- has taken is renewed too.
create function hapax.keep_shards(me text, lease_ms double precision)
returns table (shard smallint, fence bigint, share integer) language plpgsql as $$
declare
  fair integer;
  lease interval := lease_ms * interval '1 millisecond';
begin
  insert into hapax.relay as r (id, until) values (me, clock_timestamp() + lease)
    on conflict (id) do update set until = excluded.until;
  delete from hapax.relay r where r.id in (
    select o.id from hapax.relay o where o.until < clock_timestamp() - lease for update skip locked);
  select ceil(16.0 / count(*)) into fair from hapax.relay r where r.until > clock_timestamp();
  update hapax.relay_shard s set until = clock_timestamp() + lease where s.holder = me;
  update hapax.relay_shard s set holder = me, fence = s.fence + 1, until = clock_timestamp() + lease
  from (
    select f.shard from hapax.relay_shard f where f.holder is null or f.until < clock_timestamp()
    order by f.shard
    limit greatest(0, fair - (select count(*) from hapax.relay_shard h where h.holder = me))
    for update skip locked) free
  where s.shard = free.shard;
  return query select s.shard, s.fence, fair from hapax.relay_shard s where s.holder = me order by s.shard;
end $$;
comment on function hapax.keep_shards is 'Renews the leases of a relay and takes free shards up to its share. Gives those that it holds.';

create function hapax.leave_shards(me text, shards smallint[], goes boolean) returns void language plpgsql as $$
begin
  update hapax.relay_shard s set holder = null where s.holder = me and s.shard = any(shards);
  if goes then
    delete from hapax.relay r where r.id = me;
  end if;
end $$;
comment on function hapax.leave_shards is 'Gives shards back, so that another relay takes them at once.';

-- The events of a shard that may be published, in their order. Those behind a failed one of their aggregate wait.
create function hapax.due_publications(of_shard smallint, at_most integer)
returns table (message_id text, place bigint, tried_at timestamptz) language sql stable as $$
  select p.message_id, p.place, p.tried_at from hapax.publication p
  where p.shard = of_shard and p.state = 'due' and not exists (
    select from hapax.publication f
    where f.state = 'failed' and f.tenant = p.tenant and f.environment = p.environment
      and f.aggregate_type = p.aggregate_type and f.aggregate_id = p.aggregate_id)
  order by p.place limit at_most
$$;
comment on function hapax.due_publications is 'Events of a shard that may be published, in the order in which they are.';

-- Gives a relay the next events of a shard that it holds. From here on the broker may get them.
create function hapax.take_publications(of_shard smallint, held bigint, at_most integer)
returns table (
  id text, tenant text, environment text, aggregate_type text, aggregate_id text, sequence bigint, type text, operation_id text,
  cause text, payload jsonb, occurred_at timestamptz, tried_ms double precision)
language sql as $$
  with due as materialized (
    select d.* from hapax.due_publications(of_shard, at_most) d
    where exists (select from hapax.relay_shard s where s.shard = of_shard and s.fence = held)
  ), marked as (
    update hapax.publication p set tried_at = clock_timestamp()
    from due where p.message_id = due.message_id and due.tried_at is null and p.state = 'due'
  )
  select o.id, o.tenant, o.environment, o.aggregate_type, o.aggregate_id, o.sequence, o.type, o.operation_id, o.cause, o.payload,
    o.occurred_at, extract(epoch from clock_timestamp() - due.tried_at) * 1000
  from due join hapax.outbox o on o.id = due.message_id
  order by due.place
$$;
comment on function hapax.take_publications is
  'The next events of a shard for the relay that holds it. `tried_ms` is since the broker may first have got it; null for what is new.';

-- Locks the shard, so that positions become visible in their order. Gives null where the relay does not hold it any more.
create function hapax.record_published(of_shard smallint, held bigint, ids text[]) returns integer language plpgsql as $$
declare
  newest bigint;
  count integer;
begin
  select s.position into newest from hapax.relay_shard s where s.shard = of_shard and s.fence = held for update;
  if not found then
    return null;
  end if;
  update hapax.publication p
  set state = 'published', position = newest + n.nth, published_at = clock_timestamp(), changed_at = clock_timestamp(), code = null,
    detail = null
  from (
    select d.message_id, row_number() over (order by d.place) as nth from hapax.publication d
    where d.message_id = any(ids) and d.shard = of_shard and d.state = 'due') n
  where p.message_id = n.message_id;
  get diagnostics count = row_count;
  update hapax.relay_shard s set position = newest + count where s.shard = of_shard;
  return count;
end $$;
comment on function hapax.record_published is
  'Records that events are published, each at the next position of its shard, unless another relay has taken the shard.';

-- Without a broker: the log itself is where events are read.
create function hapax.publish_here(of_shard smallint, held bigint, at_most integer) returns integer language sql as $$
  select hapax.record_published(of_shard, held, array(select d.message_id from hapax.due_publications(of_shard, at_most) d))
$$;
comment on function hapax.publish_here is 'Puts the next events of a shard into its log, without a broker.';

create function hapax.refuse_publication(of_shard smallint, held bigint, of_id text, why text, said text)
returns boolean language plpgsql as $$
begin
  perform from hapax.relay_shard s where s.shard = of_shard and s.fence = held for update;
  if not found then
    return false;
  end if;
  update hapax.publication p
  set state = 'failed', code = why, detail = said, tries = p.tries + 1, tried_at = null, changed_at = clock_timestamp()
  where p.message_id = of_id and p.state = 'due';
  return true;
end $$;
comment on function hapax.refuse_publication is
  'Records that the broker has refused an event: it has not got it. The later ones of its aggregate wait behind it.';

-- A person has it published again, under the same id. Those behind it follow. Gives no row where there is nothing to replay.
create function hapax.replay_publication(of_id text, of_environment text) returns setof hapax.publication language sql as $$
  update hapax.publication p set state = 'due', changed_at = clock_timestamp()
  where p.message_id = 'msg_' || substr(of_id, 4) and p.environment = of_environment and p.state = 'failed'
  returning p.*
$$;
comment on function hapax.replay_publication is 'Has a failed event published again, under the same id.';

create view hapax.event_log with (security_invoker = true) as
  select p.shard, p.position, p.published_at, o.id, o.tenant, o.environment, o.aggregate_type, o.aggregate_id, o.sequence, o.type,
    o.operation_id, o.cause, o.payload, o.occurred_at
  from hapax.publication p join hapax.outbox o on o.id = p.message_id
  where p.state = 'published';
comment on view hapax.event_log is
  'Published events: for each shard (0 to 15) a log whose positions have no gap and become visible in their order.';
grant select on hapax.event_log to hapax_app, hapax_upkeep;
