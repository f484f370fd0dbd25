-- A file of the same name at the same destination, sent on purpose: both are kept, the newer one replaces the older, or it
-- is refused.
set local row_security = on;

alter table hapax.asset
  add column holds_place boolean not null default false,
  add column replaced_by text;
comment on column hapax.asset.holds_place is 'it was placed where no other of its subject might stand under its name';
comment on column hapax.asset.replaced_by is 'the asset that has taken its place; undone, it gives the place back';

create unique index asset_holds_its_place on hapax.asset (tenant, environment, subject, destination, name)
  where holds_place and replaced_by is null;
create index asset_at_its_place on hapax.asset (tenant, environment, subject, destination, name) where replaced_by is null;

-- Makes the asset and the content that it refers to: the one that lives in the scope, or else these bytes. The conflicting
-- update changes nothing; it returns the living row and locks it, so that nobody collects it before this commit. Null if
-- this operation has an asset from before its key was forgotten, or has left a content to others.
--   when_same   keep_both, replace, refuse
create function hapax.place_asset(
  of_operation text, new_asset text, new_content text, share text, at_destination text, called text, of_type text,
  of_sha256 text, of_size bigint, at_key text, when_same text)
returns jsonb language plpgsql as $$
declare
  owner record;
  holders text[];
  kept record;
begin
  select o.tenant, o.environment, o.subject, case share
      when 'global' then jsonb_build_array(o.tenant, o.environment, 'global')
      when 'account' then jsonb_build_array(o.tenant, o.environment, 'account', o.subject)
      when 'folder' then jsonb_build_array(o.tenant, o.environment, 'folder', o.subject, at_destination)
      when 'intent' then jsonb_build_array(o.tenant, o.environment, 'intent', o.id) end as shares
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
        and a.destination = at_destination and a.name = called and a.replaced_by is null;
    if when_same = 'refuse' and holders is not null then
      return jsonb_build_object('holder', holders[1]);
    end if;
    update hapax.asset a set replaced_by = new_asset where a.id = any(holders);
  end if;
  insert into hapax.content as c (id, tenant, environment, dedup_scope, sha256, size, type, object_key)
    values (new_content, owner.tenant, owner.environment, encode(sha256(convert_to(owner.shares::text, 'UTF8')), 'hex'),
      of_sha256, of_size, of_type, at_key)
    on conflict (tenant, dedup_scope, sha256) where state = 'live' do update set state = c.state
    returning c.id, c.object_key into kept;
  insert into hapax.asset (
    id, tenant, environment, subject, operation_id, destination, name, type, content_id, holds_place)
    values (new_asset, owner.tenant, owner.environment, owner.subject, of_operation, at_destination, called, of_type, kept.id,
      when_same <> 'keep_both');
  return jsonb_build_object('assetId', new_asset, 'content', kept.id, 'objectKey', kept.object_key,
    'deduplicated', kept.id <> new_content, 'replaces', coalesce(to_jsonb(holders), '[]'));
end $$;
comment on function hapax.place_asset is 'An upload becomes a name for a content, at a place that it may share, take over, or find taken.';
