-- What is left in the object store is compared with the rows, and what no row explains is removed.
set local row_security = on;

-- What the server is, as far as it tells: another system, or another timeline of the same one, may lack rows.
create function hapax.server_identity() returns text language plpgsql stable as $$
begin
  -- The first eight digits of the name of a file of the log are its timeline; a checkpoint would tell it minutes later.
  return (select system_identifier || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) from pg_control_system());
exception when others then
  return null; -- some hosted servers do not tell
end $$;

create table hapax.ledger (
  one     boolean primary key default true check (one),
  id      text not null default gen_random_uuid()::text,
  born_at timestamptz not null default now(),
  beats   bigint not null default 0,
  server  text default hapax.server_identity()
);
comment on table hapax.ledger is 'This ledger, as its bucket remembers it. Where they differ, rows may be missing, and nothing is removed for want of a row.';
comment on column hapax.ledger.born_at is 'what was written before is not explained by it';
comment on column hapax.ledger.beats is 'grows every few minutes, here first: a bucket that remembers more has seen a ledger that was restored since';
comment on column hapax.ledger.server is 'the server and its timeline, when it was last accepted';
insert into hapax.ledger default values;
do $$
begin
  if to_regclass('hapax_migration') is not null then
    update hapax.ledger set born_at = coalesce((select min(run_on) from hapax_migration), now());
  end if;
end $$;

create table hapax.sweep_pass (
  id                bigint generated always as identity primary key,
  began_at          timestamptz not null default now(),
  began_by          text not null check (began_by in ('schedule', 'command')),
  ended_at          timestamptz,
  superseded        boolean not null default false,
  holder            uuid not null,
  leased_until      timestamptz not null,
  stage             text not null,
  after             text not null default '',
  looked_at         bigint not null default 0,
  removed           bigint not null default 0,
  bytes             bigint not null default 0,
  lost              bigint not null default 0,
  not_ours          bigint not null default 0,
  failed            bigint not null default 0,
  held_back         text,
  stored_bytes      bigint not null default 0,
  derived_bytes     bigint not null default 0,
  unexplained_bytes bigint not null default 0,
  file_bytes        bigint not null default 0,
  content_bytes     bigint not null default 0
);
comment on table hapax.sweep_pass is 'One comparison of the bucket with the rows. Any process can continue it from its last page.';
comment on column hapax.sweep_pass.after is 'the last key of its stage that was looked at';
comment on column hapax.sweep_pass.lost is 'rows whose objects are missing';
comment on column hapax.sweep_pass.not_ours is 'things under our prefixes that no build of ours writes, or that are older than this ledger';
comment on column hapax.sweep_pass.held_back is 'why nothing was removed';
create unique index sweep_pass_is_one_at_a_time on hapax.sweep_pass ((true)) where ended_at is null;
create index sweep_pass_newest on hapax.sweep_pass (began_at);

create table hapax.reclaimed (
  day     date not null,
  what    text not null,
  objects bigint not null,
  bytes   bigint not null,
  primary key (day, what)
);
comment on table hapax.reclaimed is 'What sweeps have removed, by day (UTC) and by what it was.';

create table hapax.sweep_trouble (
  what    text not null,
  thing   text not null,
  detail  text not null,
  tries   integer not null default 1,
  since   timestamptz not null default now(),
  last_at timestamptz not null default now(),
  primary key (what, thing)
);
comment on table hapax.sweep_trouble is 'What could not be removed, until it is.';

do $$
declare
  each text;
begin
  foreach each in array array['ledger', 'sweep_pass', 'reclaimed', 'sweep_trouble'] loop
    execute format('alter table hapax.%I enable row level security, force row level security', each);
    execute format(
      'create policy acting_roles on hapax.%I as restrictive using (current_user in (''hapax_app'', ''hapax_upkeep''))', each);
    execute format('create policy all_tenants on hapax.%I to hapax_upkeep using (true)', each);
    execute format('grant select, insert, update, delete on hapax.%I to hapax_upkeep', each);
  end loop;
end $$;

-- A content whose object is missing takes no further references. Its assets say so, until the same bytes come again.
alter table hapax.content drop constraint content_state_check;
-- Valid from the next migration on, which waits for nobody.
alter table hapax.content add constraint content_state_check check (state in ('live', 'lost', 'deleting')) not valid;
grant update (state, collected_by), delete on hapax.content to hapax_upkeep;
grant update (content_id) on hapax.asset to hapax_upkeep;
grant update (state, files, code, detail, made_at) on hapax.derivative to hapax_upkeep;

-- Takes up the pass that stands open, or begins one where it is time.
create function hapax.take_sweep(anew boolean, whoever text, by_holder uuid, every_ms float8, lease_ms float8)
returns setof hapax.sweep_pass language plpgsql as $$
declare
  it hapax.sweep_pass;
begin
  lock table hapax.sweep_pass in share row exclusive mode;
  select * into it from hapax.sweep_pass p where p.ended_at is null;
  if found and it.leased_until > now() and it.holder <> by_holder then
    return;
  elsif found and anew and it.holder <> by_holder then
    update hapax.sweep_pass p set ended_at = now(), superseded = true where p.id = it.id;
    it := null;
  end if;
  if it.id is null then
    -- Nothing of a new ledger is old enough to be left over.
    if not anew and exists (
      select from hapax.sweep_pass p where not p.superseded and p.began_at > now() - every_ms * interval '1 ms'
      union all select from hapax.ledger l where l.born_at > now() - every_ms * interval '1 ms') then
      return;
    end if;
    insert into hapax.sweep_pass (began_by, holder, leased_until, stage)
      values (whoever, by_holder, now(), '') returning * into it;
  end if;
  return query update hapax.sweep_pass p set holder = by_holder, leased_until = now() + lease_ms * interval '1 ms'
    where p.id = it.id returning p.*;
end $$;

-- Gives up a content that no asset refers to. The lock waits for transactions that are about to refer to it.
create function hapax.give_up_content(of_content text) returns setof hapax.content language plpgsql as $$
begin
  perform from hapax.content c where c.id = of_content for update;
  if exists (select from hapax.asset a where a.content_id = of_content) then
    return;
  end if;
  update hapax.content c set state = 'deleting', collected_by = 'sweep' where c.id = of_content and c.state <> 'deleting';
  return query select * from hapax.content c where c.id = of_content;
end $$;

-- As before, but a content may be lost.
create or replace function hapax.give_up_asset(of_asset text) returns table (content text, object_key text) language plpgsql as $$
declare
  holds text;
begin
  select a.content_id into holds from hapax.asset a where a.id = of_asset and a.gone_after <= now() for update;
  if not found then
    return;
  end if;
  -- Waits for transactions that are about to refer to the content. What they have committed, the next statement sees.
  perform from hapax.content c where c.id = holds for update;
  if exists (select from hapax.asset other where other.content_id = holds and other.id <> of_asset) then
    delete from hapax.asset a where a.id = of_asset;
    return;
  end if;
  update hapax.content c set state = 'deleting', collected_by = of_asset where c.id = holds and c.state <> 'deleting';
  -- Whoever wants to restore it, and waits for this row, finds it gone.
  update hapax.asset a set gone_after = '-infinity' where a.id = of_asset;
  return query select c.id, c.object_key from hapax.content c where c.id = holds;
end $$;
