-- What is known of a file's type is kept with it, so that policy can be stricter than belief.
set local row_security = on;

alter table hapax.asset add column evidence jsonb;
alter table hapax.asset add column readers text not null default 'tenant' check (readers in ('tenant', 'subject'));
comment on column hapax.asset.readers is 'who may see it, as it was announced: everybody of its tenant, or its subject alone';
comment on column hapax.asset.evidence is 'declared and shown type, what shows it, and how they go together; null: placed before this was kept';

-- Former workers place without the evidence. Bytes that an upload has not brought itself are those of a content that its
-- caller owns: nobody collects it before this commit, or it is gone already.
create function hapax.place_asset(
  of_operation text, new_asset text, new_content text, share text, at_destination text, called text, of_type text,
  of_sha256 text, of_size bigint, at_key text, when_same text, seen jsonb, seen_by text)
returns jsonb language plpgsql as $$
declare
  placed jsonb;
begin
  if not starts_with(at_key, 'uploads/' || of_operation || '/') then
    perform from hapax.content c where c.object_key = at_key and c.state = 'live' for update;
    if not found then
      return jsonb_build_object('gone', true);
    end if;
  end if;
  placed := hapax.place_asset(of_operation, new_asset, new_content, share, at_destination, called, of_type,
    of_sha256, of_size, at_key, when_same);
  update hapax.asset a set evidence = seen, readers = coalesce(seen_by, 'tenant') where a.id = placed ->> 'assetId';
  return placed;
end $$;

-- A deleted asset can be restored for a while. Then it is given up, and its content with its last asset.
alter table hapax.asset
  add column deleted_at timestamptz,
  add column gone_after timestamptz,
  add column purge_at timestamptz,
  add constraint asset_is_deleted_for_a_while
    check ((deleted_at is null) = (gone_after is null) and (deleted_at is null) = (purge_at is null)),
  add constraint asset_that_is_deleted_holds_no_place check (deleted_at is null or not holds_place);
comment on column hapax.asset.gone_after is 'until then it can be restored';
comment on column hapax.asset.purge_at is 'when upkeep next tries to give it up';
create index asset_to_purge on hapax.asset (purge_at) where purge_at is not null;

-- What was made of a content, once for all assets that share it.
create table hapax.derivative (
  content_id text not null references hapax.content on delete cascade,
  tenant     text not null,
  name       text not null,
  state      text not null check (state in ('done', 'failed')),
  files      jsonb not null, -- key, type, width, height and size of each
  code       text,
  detail     text,
  made_at    timestamptz not null default now(),
  primary key (content_id, name),
  constraint derivative_that_failed_says_why check ((state = 'failed') = (code is not null and detail is not null))
);
alter table hapax.derivative enable row level security;
alter table hapax.derivative force row level security;
create policy acting_roles on hapax.derivative as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.derivative to hapax_app using (tenant = hapax.current_tenant());
create policy all_tenants on hapax.derivative to hapax_upkeep using (true);
grant select, insert, update on hapax.derivative to hapax_app;
grant select on hapax.derivative to hapax_upkeep;
grant update (purge_at) on hapax.asset to hapax_upkeep;

-- Who shares one object for the same bytes, as a digest; null for an unknown word.
create function hapax.dedup_scope(of_operation text, share text, at_destination text) returns text
language sql stable as $$
  select encode(sha256(convert_to((case share
    when 'global' then jsonb_build_array(o.tenant, o.environment, 'global')
    when 'account' then jsonb_build_array(o.tenant, o.environment, 'account', o.subject)
    when 'folder' then jsonb_build_array(o.tenant, o.environment, 'folder', o.subject, at_destination)
    when 'intent' then jsonb_build_array(o.tenant, o.environment, 'intent', o.id) end)::text, 'UTF8')), 'hex')
  from hapax.operation o where o.id = of_operation
$$;

-- A file that is deleted stands at no place.
create or replace function hapax.place_asset(
  of_operation text, new_asset text, new_content text, share text, at_destination text, called text, of_type text,
  of_sha256 text, of_size bigint, at_key text, when_same text)
returns jsonb language plpgsql as $$
declare
  owner record;
  holders text[];
  kept record;
begin
  select o.tenant, o.environment, o.subject, hapax.dedup_scope(of_operation, share, at_destination) as shares
    into owner
    from hapax.operation o
    where o.id = of_operation and not exists (select from hapax.asset a where a.operation_id = of_operation)
      and not exists (select from hapax.content c where c.id = new_content);
  if not found then
    return null;
  end if;
  if when_same <> 'keep_both' then
    -- Two that come at once are placed one after the other.
    perform pg_advisory_xact_lock(hashtextextended(
      jsonb_build_array(owner.tenant, owner.environment, owner.subject, at_destination, called)::text, 0));
    select array_agg(a.id order by a.id) into holders from hapax.asset a
      where a.tenant = owner.tenant and a.environment = owner.environment and a.subject = owner.subject
        and a.destination = at_destination and a.name = called and a.replaced_by is null and a.deleted_at is null;
    if when_same = 'refuse' and holders is not null then
      return jsonb_build_object('holder', holders[1]);
    end if;
    update hapax.asset a set replaced_by = new_asset where a.id = any(holders);
  end if;
  insert into hapax.content as c (id, tenant, environment, dedup_scope, sha256, size, type, object_key)
    values (new_content, owner.tenant, owner.environment, owner.shares, of_sha256, of_size, of_type, at_key)
    on conflict (tenant, dedup_scope, sha256) where state = 'live' do update set state = c.state
    returning c.id, c.object_key into kept;
  insert into hapax.asset (
    id, tenant, environment, subject, operation_id, destination, name, type, content_id, holds_place)
    values (new_asset, owner.tenant, owner.environment, owner.subject, of_operation, at_destination, called, of_type, kept.id,
      when_same <> 'keep_both');
  return jsonb_build_object('assetId', new_asset, 'content', kept.id, 'objectKey', kept.object_key,
    'deduplicated', kept.id <> new_content, 'replaces', coalesce(to_jsonb(holders), '[]'));
end $$;

-- Gives a deleted asset up whose time has passed. If it was the last one of its content, the content takes no reference any
-- more, and is returned: delete its objects, then its rows.
create function hapax.give_up_asset(of_asset text) returns table (content text, object_key text) language plpgsql as $$
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
  update hapax.content c set state = 'deleting', collected_by = of_asset where c.id = holds and c.state = 'live';
  -- Whoever wants to restore it, and waits for this row, finds it gone.
  update hapax.asset a set gone_after = '-infinity' where a.id = of_asset;
  return query select c.id, c.object_key from hapax.content c where c.id = holds;
end $$;
