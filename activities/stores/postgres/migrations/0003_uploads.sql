-- Uploads: which bytes count for an operation, what they are, and who refers to them. The bytes themselves are in S3.

-- What became of an upload's wait for its bytes. There is a row once that is decided, and never two: whoever inserts
-- first decides between two PUTs, and between a PUT and the expiry. Committed before any signal.
create table hapax.transfer (
  operation_id text primary key references hapax.operation on delete cascade,
  tenant       text not null,
  outcome      text not null check (outcome in ('received', 'closed')),
  method       text check (method in ('door', 'presigned')),
  object_key   text,
  size         bigint check (size >= 0),
  sha256       text check (sha256 ~ '^[0-9a-f]{64}$'), -- computed by us or enforced by S3; null: still to be read
  sniffed_type text, -- what the first bytes show, empty where they show nothing; null: still to be read
  decided_at   timestamptz not null default now(),
  constraint transfer_object_counts_once unique (object_key),
  constraint transfer_received_names_its_bytes check (
    (outcome = 'received') = (object_key is not null and method is not null and size is not null))
);

-- Bytes that are known by their SHA-256 within a scope, and the one object that holds them. References are rows of
-- asset, not a counter. A content without any is set to `deleting` under a lock, its objects are deleted, then the row;
-- whoever brings the same bytes meanwhile makes a content of their own. Object keys hold their operation's id and are
-- never used again: an old presigned URL works again after a delete.
create table hapax.content (
  id           text primary key,
  tenant       text not null,
  environment  text not null check (environment in ('live', 'test')),
  dedup_scope  text not null, -- digest of who may share it
  sha256       text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  size         bigint not null check (size >= 0),
  type         text not null,
  object_key   text not null,
  state        text not null default 'live' check (state in ('live', 'deleting')),
  collected_by text, -- the operation whose undo found it without references, and deletes its objects
  created_at   timestamptz not null default now(),
  constraint content_object_is_its_own unique (object_key),
  constraint content_is_deleted_by_somebody check ((state = 'deleting') = (collected_by is not null))
);

-- Of any number of first uploads of the same bytes one brings the object that all share.
create unique index content_lives_once_in_its_scope on hapax.content (tenant, dedup_scope, sha256) where state = 'live';
create index content_collected on hapax.content (collected_by) where state = 'deleting';

-- What the caller gets: a name and a place for a content. It outlives the ledger's row.
create table hapax.asset (
  id           text primary key,
  tenant       text not null,
  environment  text not null check (environment in ('live', 'test')),
  subject      text not null,
  operation_id text not null,
  destination  text not null,
  name         text not null,
  type         text not null,
  content_id   text not null references hapax.content,
  created_at   timestamptz not null default now(),
  ready_at     timestamptz,
  constraint asset_of_one_operation unique (operation_id)
);
create index asset_of_content on hapax.asset (content_id);

alter table hapax.transfer enable row level security;
alter table hapax.content  enable row level security;
alter table hapax.asset    enable row level security;
create policy tenant_only on hapax.transfer to hapax_app using (tenant = hapax.current_tenant());
create policy tenant_only on hapax.content  to hapax_app using (tenant = hapax.current_tenant());
create policy tenant_only on hapax.asset    to hapax_app using (tenant = hapax.current_tenant());
create policy all_tenants on hapax.transfer to hapax_upkeep using (true);
create policy all_tenants on hapax.content  to hapax_upkeep using (true);
create policy all_tenants on hapax.asset    to hapax_upkeep using (true);
grant select, insert on hapax.transfer to hapax_app;
grant select, insert, update, delete on hapax.content, hapax.asset to hapax_app;
grant select on hapax.transfer, hapax.content, hapax.asset to hapax_upkeep;
