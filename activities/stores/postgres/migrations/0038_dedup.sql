-- Deduplication for services of their own, keys for callers without one, and the terms of copied answers.
set local row_security = on;

-- An operation that settles locks its row before it reads the name of the channel. In the other order, it and this migration
-- would wait for each other.
lock table hapax.operation in share row exclusive mode;

-- An id that a service wants done once, with its answer. The row decides, whatever faster layers stand before it.
create sequence hapax.once_fence;
create table hapax.once_entry (
  tenant text not null check (tenant <> ''),
  space  text not null,
  id     text not null check (id <> ''),
  fence  bigint not null default nextval('hapax.once_fence'),
  answer text,
  until  timestamptz not null,
  constraint id_is_held_once primary key (tenant, space, id)
);
comment on table hapax.once_entry is 'An id of hapax/dedup: held while it is being done, then answered for its window';
comment on column hapax.once_entry.space is 'keeps the ids of one use apart from those of another';
comment on column hapax.once_entry.fence is 'grows with each holder, over all ids; a former holder changes nothing';
comment on column hapax.once_entry.answer is 'null while a holder is at work';
comment on column hapax.once_entry.until is 'the end of the holder''s lease, or of the answer''s window';
create index once_entry_outlived on hapax.once_entry (until);

alter table hapax.once_entry enable row level security;
alter table hapax.once_entry force row level security;
create policy acting_roles on hapax.once_entry as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.once_entry to hapax_app using (tenant = hapax.current_tenant());
create policy all_tenants on hapax.once_entry to hapax_upkeep using (true);
grant select, insert, update, delete on hapax.once_entry to hapax_app;
grant select, update, delete on hapax.once_entry to hapax_upkeep;
grant usage on sequence hapax.once_fence to hapax_app;

-- Takes an id, or says what is known of it: `ours`, `answered` or `taken`. One message and its own transaction. A duplicate
-- writes nothing. Where two come at once for an id that is free or outlived, the row's lock lets one through.
create function hapax.claim_once(of_tenant text, of_space text, of_id text, lease_ms double precision)
returns table (decision text, held_as bigint, kept text, left_ms double precision)
language plpgsql as $$
declare
  found_row hapax.once_entry;
  taken bigint;
begin
  perform set_config('hapax.tenant', of_tenant, true);
  loop
    select e.* into found_row from hapax.once_entry e
      where e.tenant = of_tenant and e.space = of_space and e.id = of_id and e.until > clock_timestamp();
    if found then
      return query select case when found_row.answer is null then 'taken' else 'answered' end, null::bigint, found_row.answer,
        greatest(0, extract(epoch from found_row.until - clock_timestamp()) * 1000)::double precision;
      return;
    end if;
    insert into hapax.once_entry as e (tenant, space, id, until)
      values (of_tenant, of_space, of_id, clock_timestamp() + lease_ms * interval '1 millisecond')
      on conflict on constraint id_is_held_once do update
        set fence = excluded.fence, answer = null, until = excluded.until
        where e.until <= clock_timestamp()
      returning e.fence into taken;
    if found then
      return query select 'ours', taken, null::text, lease_ms;
      return;
    end if;
  end loop;
end $$;

-- The content that a caller without a key has sent. Its first arrival is the anchor of its window.
create table hapax.content_anchor (
  tenant      text not null check (tenant <> ''),
  environment text not null check (environment in ('live', 'test')),
  subject     text not null,
  flow        text not null,
  digest      text not null,
  anchored_at timestamptz not null,
  until       timestamptz not null,
  constraint content_has_one_anchor primary key (tenant, environment, subject, flow, digest)
);
comment on table hapax.content_anchor is 'When content without a key first came; its duplicates get the same key within the window';
comment on column hapax.content_anchor.subject is 'empty where the flow shares its keys over the tenant';
create index content_anchor_outlived on hapax.content_anchor (until);

alter table hapax.content_anchor enable row level security;
alter table hapax.content_anchor force row level security;
create policy acting_roles on hapax.content_anchor as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.content_anchor to hapax_app using (tenant = hapax.current_tenant());
create policy all_tenants on hapax.content_anchor to hapax_upkeep using (true);
grant select, insert, update on hapax.content_anchor to hapax_app;
grant select, update, delete on hapax.content_anchor to hapax_upkeep;

-- Gives the anchor of a content in milliseconds since 1970, by this clock alone. The first arrival sets it; after the window the
-- next one sets it anew. Two that come at the end of a window wait for each other at the row.
create function hapax.anchor_content(
  of_tenant text, of_environment text, of_subject text, of_flow text, of_digest text, window_ms double precision)
returns double precision language plpgsql as $$
declare
  anchor timestamptz;
begin
  perform set_config('hapax.tenant', of_tenant, true);
  loop
    select a.anchored_at into anchor from hapax.content_anchor a
      where a.tenant = of_tenant and a.environment = of_environment and a.subject = of_subject and a.flow = of_flow
        and a.digest = of_digest and a.until > clock_timestamp();
    exit when found;
    anchor := date_trunc('milliseconds', clock_timestamp());
    insert into hapax.content_anchor as a (tenant, environment, subject, flow, digest, anchored_at, until)
      values (of_tenant, of_environment, of_subject, of_flow, of_digest, anchor, anchor + window_ms * interval '1 millisecond')
      on conflict on constraint content_has_one_anchor do update
        set anchored_at = excluded.anchored_at, until = excluded.until
        where a.until <= clock_timestamp()
      returning a.anchored_at into anchor;
    exit when found;
  end loop;
  return extract(epoch from anchor) * 1000;
end $$;

-- What a copy of a settled answer has to be bound to. The secret signs copies in Redis, which nobody can forge without rights on
-- the ledger. The epoch grows when an answer changes or goes before its time, and with that every copy is stale.
create table hapax.answer_copies (
  single   boolean primary key default true check (single),
  secret   text not null,
  epoch    bigint not null default 1,
  ended_by xid8 not null default '0'
);
comment on table hapax.answer_copies is 'What copies of settled answers are bound to, in memory and in Redis: a secret and an epoch';
comment on column hapax.answer_copies.ended_by is 'the transaction that raised the epoch last: one raises it once';
insert into hapax.answer_copies (secret)
  values (replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));
alter table hapax.answer_copies enable row level security;
alter table hapax.answer_copies force row level security;
create policy acting_roles on hapax.answer_copies as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy readers_of_the_ledger on hapax.answer_copies to hapax_app, hapax_upkeep using (true);
grant select on hapax.answer_copies to hapax_app, hapax_upkeep;
grant update (epoch, ended_by) on hapax.answer_copies to hapax_app, hapax_upkeep;
create policy upkeep_tells_too on hapax.news_channel for select to hapax_upkeep using (true);
grant select on hapax.news_channel to hapax_upkeep;

create function hapax.end_answer_copies() returns trigger language plpgsql as $$
begin
  update hapax.answer_copies set epoch = epoch + 1, ended_by = pg_current_xact_id() where ended_by <> pg_current_xact_id();
  if found then
    perform pg_notify((select name from hapax.news_channel),
      jsonb_build_object('copies', (select epoch from hapax.answer_copies))::text);
  end if;
  return null;
end $$;

-- An answer that outlives its time as declared is forgotten without this: each copy knows when it ends.
create trigger copies_end_with_their_answer
  after update of answer_status, answer_headers, answer_body, answer_expires_at on hapax.operation
  for each row when (
    old.answer_body is not null and old.answer_expires_at > now() and (
      new.answer_body is distinct from old.answer_body or new.answer_headers is distinct from old.answer_headers
      or new.answer_status is distinct from old.answer_status or new.answer_expires_at < old.answer_expires_at))
  execute function hapax.end_answer_copies();
create trigger copies_end_with_their_row
  after delete on hapax.operation
  for each row when (old.answer_body is not null and old.answer_expires_at > now())
  execute function hapax.end_answer_copies();
