-- Messages that consumers take from a stream. The row that says "done" is committed together with the effect, so a message that
-- is delivered again finds it. What is not done yet is kept in the same row until it is: the broker need not keep it for us.
set local row_security = on;

create table hapax.consumed (
  tenant       text not null,
  environment  text not null check (environment in ('live', 'test')),
  consumer     text not null,
  source       text not null,
  message      text not null,
  state        text not null default 'done' check (state in ('done', 'stale', 'waiting', 'parked', 'due', 'dead')),
  changed_at   timestamptz not null default now(),
  forget_after timestamptz not null,
  id           text,
  subject      text,
  body         bytea,
  type         text,
  aggregate    text,
  sequence     bigint,
  operation_id text,
  cause        text,
  fence        bigint not null default 0,
  tries        integer not null default 0,
  over_gap     boolean not null default false,
  code         text,
  detail       text,
  next_at      timestamptz,
  received_at  timestamptz,
  constraint message_is_consumed_once primary key (tenant, environment, consumer, source, message),
  constraint message_is_kept_until_done check (
    state = 'done' or (id is not null and subject is not null and received_at is not null and next_at is not null)),
  constraint waiting_message_has_a_place check (
    state not in ('waiting', 'parked') or (aggregate is not null and sequence is not null)),
  constraint consumed_says_why check (state not in ('parked', 'dead') or (code is not null and detail is not null))
);
comment on table hapax.consumed is 'What each consumer has made of each message. Two consumers of one message are two rows.';
comment on column hapax.consumed.source is 'who sent it: an id is unique for its source only';
comment on column hapax.consumed.message is 'the sender''s id, the same on each delivery';
comment on column hapax.consumed.state is
  'stale: a newer one was done before; waiting: for an earlier sequence; parked: that has not come in time; due: tried again; dead: tried again when a person replays it';
comment on column hapax.consumed.forget_after is 'later than the last time at which the broker can deliver it';
comment on column hapax.consumed.id is 'of its dead letter, should it become one; null where it was done at once';
comment on column hapax.consumed.body is 'as it was delivered, while it is not done; null where it is too large to be kept';
comment on column hapax.consumed.fence is 'grows with each take; who took it before can no longer write';
comment on column hapax.consumed.over_gap is 'it goes on without the sequences that are missing before it';
comment on column hapax.consumed.next_at is 'when it is tried; while it waits, until when that is no gap';
create unique index consumed_letter on hapax.consumed (id) where id is not null;
create index consumed_due on hapax.consumed (next_at) where state in ('due', 'waiting');
create index consumed_in_order on hapax.consumed (tenant, environment, consumer, source, aggregate, sequence)
  where state in ('waiting', 'parked', 'due');
create index consumed_listed on hapax.consumed (tenant, changed_at desc, id desc) where state in ('parked', 'dead');
create index consumed_outlived on hapax.consumed (forget_after);

create table hapax.consumer_position (
  tenant      text not null,
  environment text not null check (environment in ('live', 'test')),
  consumer    text not null,
  source      text not null,
  aggregate   text not null,
  done        bigint not null default 0,
  primary key (tenant, environment, consumer, source, aggregate)
);
comment on table hapax.consumer_position is
  'How far a consumer that keeps an order has come with each aggregate. Its row is locked while messages of the aggregate are placed.';
comment on column hapax.consumer_position.done is 'the sequence of the last message that was done; 0 before the first';

alter table hapax.consumed          enable row level security;
alter table hapax.consumed          force row level security;
alter table hapax.consumer_position enable row level security;
alter table hapax.consumer_position force row level security;
create policy acting_roles on hapax.consumed          as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy acting_roles on hapax.consumer_position as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.consumed          to hapax_app using (tenant = hapax.current_tenant());
create policy tenant_only on hapax.consumer_position to hapax_app using (tenant = hapax.current_tenant());
create policy all_tenants on hapax.consumed          to hapax_upkeep using (true);
create policy all_tenants on hapax.consumer_position to hapax_upkeep using (true);
grant select, insert, update on hapax.consumed          to hapax_app;
grant select, insert, update on hapax.consumer_position to hapax_app;
grant select, update, delete on hapax.consumed          to hapax_upkeep;
grant select on hapax.consumer_position                 to hapax_upkeep;

-- Leases what is due. Another process takes the rest; one that dies leaves what it took to the next, after the lease.
create function hapax.take_consumed(consumers text[], at_most integer, lease_ms double precision)
returns table (
  id text, fence bigint, tries integer, tenant text, environment text, consumer text, source text, message text, subject text,
  body bytea, over_gap boolean)
language sql as $$
  with due as (
    select c.id from hapax.consumed c
    where c.state = 'due' and c.consumer = any(consumers) and c.next_at <= now()
    order by c.next_at limit at_most for update skip locked
  )
  update hapax.consumed c
  set fence = c.fence + 1, tries = c.tries + 1, next_at = now() + lease_ms * interval '1 millisecond'
  from due where c.id = due.id
  returning c.id, c.fence, c.tries, c.tenant, c.environment, c.consumer, c.source, c.message, c.subject, c.body, c.over_gap
$$;
comment on function hapax.take_consumed is 'Leases the messages of these consumers that are to be tried again.';

-- Ends the waits whose time is over. With `goes_on` the first message behind each gap goes on over it; otherwise the messages are
-- parked: they go on by themselves when what is missing is done, and without it when a person replays them.
create function hapax.end_waits(of_consumer text, goes_on boolean, at_most integer)
returns table (id text, tenant text, environment text, aggregate text, sequence bigint, done bigint)
language sql as $$
  with late as (
    select c.* from hapax.consumed c
    where c.state = 'waiting' and c.consumer = of_consumer and c.next_at <= now()
    order by c.next_at limit at_most for update skip locked
  ), first as (
    select distinct on (h.tenant, h.environment, h.source, h.aggregate) h.id
    from hapax.consumed h
    where goes_on and h.consumer = of_consumer and h.state in ('waiting', 'parked')
      and (h.tenant, h.environment, h.source, h.aggregate) in (select l.tenant, l.environment, l.source, l.aggregate from late l)
      -- An earlier one that is about to be tried goes first: it would be stale behind this one.
      and not exists (
        select from hapax.consumed d
        where (d.tenant, d.environment, d.consumer, d.source, d.aggregate) = (h.tenant, h.environment, h.consumer, h.source, h.aggregate)
          and d.state = 'due' and d.sequence < h.sequence)
    order by h.tenant, h.environment, h.source, h.aggregate, h.sequence
  ), ended as (
    select f.id from first f union select l.id from late l where not goes_on
  )
  update hapax.consumed c
  set state = case when goes_on then 'due' else 'parked' end, over_gap = c.over_gap or goes_on, next_at = now(), changed_at = now(), tries = 0,
      code = 'gap',
      detail = 'Sequence ' || coalesce(p.done, 0) + 1 || ' of ' || c.aggregate || ' has not been done in time: ' ||
        'this message has sequence ' || c.sequence || '.'
  from ended
    join hapax.consumed e on e.id = ended.id
    left join hapax.consumer_position p on (p.tenant, p.environment, p.consumer, p.source, p.aggregate)
      = (e.tenant, e.environment, e.consumer, e.source, e.aggregate)
  where c.id = ended.id and c.state in ('waiting', 'parked')
  returning c.id, c.tenant, c.environment, c.aggregate, c.sequence, coalesce(p.done, 0)
$$;
comment on function hapax.end_waits is 'Tells the gaps: messages whose predecessor has not come in time.';

-- A person has it tried again, under the same id. One that is parked goes on without what is missing before it; what is there goes
-- before it, in its order. Gives no row where there is nothing to replay.
create function hapax.replay_consumed(of_id text, of_environment text) returns setof hapax.consumed
language plpgsql as $$
declare
  letter hapax.consumed;
begin
  select * into letter from hapax.consumed c
  where c.id = of_id and c.environment = of_environment and c.state in ('parked', 'dead') for update;
  if not found then
    return;
  end if;
  if letter.state = 'dead' then
    update hapax.consumed c set state = 'due', fence = c.fence + 1, tries = 0, next_at = now(), changed_at = now()
    where c.id = of_id;
  else
    update hapax.consumed c set over_gap = true
    where (c.tenant, c.environment, c.consumer, c.source, c.aggregate)
        = (letter.tenant, letter.environment, letter.consumer, letter.source, letter.aggregate)
      and c.sequence <= letter.sequence and c.state in ('waiting', 'parked');
    update hapax.consumed c set state = 'due', fence = c.fence + 1, tries = 0, next_at = now(), changed_at = now()
    where c.id = (
      select h.id from hapax.consumed h
      where (h.tenant, h.environment, h.consumer, h.source, h.aggregate)
          = (letter.tenant, letter.environment, letter.consumer, letter.source, letter.aggregate)
        and h.state in ('waiting', 'parked')
      order by h.sequence limit 1);
  end if;
  return query select * from hapax.consumed c where c.id = of_id;
end $$;
comment on function hapax.replay_consumed is 'Has a message that was not done tried again, under the same id.';

-- Without a broker, consumers read the log of published events. It lies in shards, each of which one process reads at a time.
create table hapax.consumer_shard (
  consumer text not null,
  shard    smallint not null check (shard between 0 and 15),
  position bigint not null default 0,
  fence    bigint not null default 0,
  until    timestamptz not null default now(),
  primary key (consumer, shard)
);
comment on table hapax.consumer_shard is 'How far a consumer has come with the log of published events, and until when a process reads it.';
comment on column hapax.consumer_shard.position is 'of the last event that is consumed: a process that dies leaves those behind it to the next';
comment on column hapax.consumer_shard.fence is 'grows with each take; who took it before can no longer move the position';
alter table hapax.consumer_shard enable row level security;
alter table hapax.consumer_shard force row level security;
create policy acting_roles on hapax.consumer_shard as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.consumer_shard to hapax_upkeep using (true);
grant select, insert, update on hapax.consumer_shard to hapax_upkeep;

-- What has been uploaded, told by `upload.used`. The consumer `usage` writes it.
create table hapax.upload_usage (
  tenant      text not null,
  environment text not null check (environment in ('live', 'test')),
  subject     text not null,
  uploads     bigint not null check (uploads > 0),
  bytes       bigint not null check (bytes >= 0),
  stored      bigint not null check (stored >= 0),
  primary key (tenant, environment, subject)
);
comment on table hapax.upload_usage is 'What each subject has uploaded: a projection of the events `upload.used`.';
comment on column hapax.upload_usage.bytes is 'of all files';
comment on column hapax.upload_usage.stored is 'what they have added to the object store: nothing for bytes that were there already';
alter table hapax.upload_usage enable row level security;
alter table hapax.upload_usage force row level security;
create policy acting_roles on hapax.upload_usage as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.upload_usage to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update on hapax.upload_usage to hapax_app;
