-- A connection that has lost its role by mistake reads nothing. Row security therefore holds for the owner of the tables
-- too, and rows are seen only by a session that acts as a role of the ledger: a login that is a member of these roles
-- inherits their policies, and would see what hapax_upkeep sees without acting as it. A superuser and a role with BYPASSRLS
-- still see everything; none of our processes is to be one.
-- A later migration does the same for each table that it makes, and lifts it (`no force row level security`) around a
-- change to rows.
do $$
declare
  held regclass;
begin
  for held in select oid from pg_class where relnamespace = 'hapax'::regnamespace and relkind in ('r', 'p') loop
    execute format('alter table %s force row level security', held);
    execute format(
      'create policy acting_roles on %s as restrictive using (current_user in (''hapax_app'', ''hapax_upkeep'')) %s', held,
      -- `npm run migrate -- --seed` fills the catalogue as the owner: it may add items, and reads none.
      case when held = 'hapax.catalogue_item'::regclass then 'with check (true)' else '' end);
  end loop;
end $$;

create policy owner_adds on hapax.catalogue_item for insert to current_user with check (true);

-- What was seen of each object store when it was tried: by one upkeep process for all others, who read it here.
create table hapax.bucket_proof (
  endpoint      text not null,
  bucket        text not null,
  state         text not null default 'untried' check (state in ('untried', 'holds', 'failed')),
  says          text not null default '', -- what was seen, or why it could not be tried yet
  -- What becomes of a multipart upload whose Complete is refused because its object is there.
  failed_complete text check (failed_complete in ('parts-kept', 'upload-gone', 'replaced', 'unknown')),
  proved_at     timestamptz,
  next_try_at   timestamptz not null, -- a process that tries puts it off first, so that one tries at a time
  primary key (endpoint, bucket),
  constraint bucket_proof_says_what_was_seen check ((state = 'untried') = (proved_at is null))
);
alter table hapax.bucket_proof enable row level security;
alter table hapax.bucket_proof force row level security;
create policy acting_roles on hapax.bucket_proof as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy readers_of_the_ledger on hapax.bucket_proof for select to hapax_app using (true);
create policy prover on hapax.bucket_proof to hapax_upkeep using (true);
grant select on hapax.bucket_proof to hapax_app;
grant select, insert, update on hapax.bucket_proof to hapax_upkeep;
