-- The ledger as it stands when all migrations have been run: its live tables, and the live text of each function.
-- Generated from a migrated database by `npm run schema`, and compared with one by a test. It is for reading: what is run
-- is in migrations/, with the reasons.
--
-- Tables and functions stand in the order in which they were first made. `the_owner` is the login that migrates.

create schema hapax;
grant usage on schema hapax to hapax_app;
grant usage on schema hapax to hapax_upkeep;

-- Types ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

-- How an operation settles: its answer, and for how long each part of it is kept, from now.
create type hapax.settlement as (
  status integer,
  headers jsonb,
  body bytea,
  result jsonb,
  refusal jsonb,
  renewable boolean,
  answer_for interval,
  key_for interval,
  sweep_after interval
);

-- What a ledger transaction of a run is about to do behind the fence.
create type hapax.entering as enum ('step', 'wait', 'undo', 'proceed', 'record');

-- How a step's effect is made to happen once: our own rows, an outside system's key, or by nature.
create type hapax.effect as enum ('transaction', 'keyed', 'natural');

-- Tables and views ────────────────────────────────────────────────────────────────────────────────────────────────────

-- One logical action. The row is its claim: committed before any effect.
create table hapax.operation (
  id                  text        not null,
  tenant              text        not null,
  environment         text        not null,
  subject             text        not null,
  key_subject         text        not null, -- empty where the flow shares its keys over the tenant
  flow                text        not null,
  flow_version        integer     not null,
  key                 text        not null,
  generation          integer     not null,
  fingerprint         text        not null,
  fingerprint_version integer     not null,
  request             jsonb       not null,
  request_id          text        not null, -- of the request that claimed: replays name it as Original-Request
  state               text        not null, -- moved by hapax.move() alone, along hapax.may_move()
  fence               bigint      not null default 0, -- grows with each take-over; 0: no run has held it
  run_id              text, -- the run that holds it
  cancel_requested_at timestamptz,
  no_return_at        timestamptz, -- from here on neither a cancel nor the end of patience stops it
  deadline            timestamptz, -- of a wait for the caller
  ending              jsonb, -- how it will end once its undos have run
  answer_status       integer,
  answer_headers      jsonb,
  answer_body         bytea,
  result              jsonb,
  refusal             jsonb,
  renewable           boolean     not null default false, -- the same key names the next generation
  next_look_at        timestamptz not null default now() + '00:00:02'::interval, -- when upkeep looks after it next
  looks               integer     not null default 0, -- how often upkeep has: its looks become rarer
  created_at          timestamptz not null default date_trunc('milliseconds', now()),
  updated_at          timestamptz not null default now(),
  settled_at          timestamptz,
  answer_expires_at   timestamptz,
  tombstone_until     timestamptz, -- the key is refused until then, with its answer or without
  sweep_at            timestamptz, -- when upkeep looks for what came too late outside; null: nothing to look for
  constraint operation_pkey primary key (id),
  constraint operation_has_one_name unique (tenant, environment, key_subject, flow, key, generation),
  constraint operation_compensates_to_an_ending check (state <> 'compensating' or ending is not null),
  constraint operation_environment_check check (environment in ('live', 'test')),
  constraint operation_generation_check check (generation >= 1),
  constraint operation_id_check check (id ~ '^op_[0-9a-z]{26}$'),
  constraint operation_keeps_its_tombstone check (settled_at is null or answer_expires_at is not null
    and tombstone_until >= answer_expires_at),
  constraint operation_key_check check (length(key) >= 1 and length(key) <= 255),
  constraint operation_settles_with_an_end check ((state in ('succeeded', 'refused', 'compensated',
    'compensation_incomplete', 'cancelled', 'expired')) = (settled_at is not null)),
  constraint operation_state_check check (state in ('claimed', 'running', 'waiting', 'indeterminate', 'compensating',
    'succeeded', 'refused', 'compensated', 'compensation_incomplete', 'cancelled', 'expired')),
  constraint operation_subject_check check (subject <> ''),
  constraint operation_tenant_check check (tenant <> '')
);
create index operation_open on hapax.operation (next_look_at) where (settled_at is null);
create index operation_listed on hapax.operation (tenant, environment, created_at desc, id);
create index operation_to_forget on hapax.operation (answer_expires_at) where (answer_body is not null);
create index operation_to_drop on hapax.operation (tombstone_until) where (settled_at is not null);
create index operation_to_sweep on hapax.operation (sweep_at) where (sweep_at is not null);
create index operation_in_hand on hapax.operation (tenant)
    where (state in ('claimed', 'running', 'indeterminate', 'compensating'));
create trigger operation_begins_open before insert on hapax.operation for each row
    when (new.state not in ('claimed', 'waiting')) execute function hapax.check_move();
create trigger operation_moves_as_listed before update of state on hapax.operation for each row
    when (old.state is distinct from new.state) execute function hapax.check_move();
alter table hapax.operation enable row level security, force row level security;
create policy acting_roles on hapax.operation as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.operation to hapax_upkeep using (true);
create policy tenant_only on hapax.operation to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update on hapax.operation to hapax_app;
grant select, update, delete on hapax.operation to hapax_upkeep;

-- One named effect inside an operation. The row is written before the effect and says what is known of it.
create table hapax.step (
  operation_id text        not null,
  tenant       text        not null,
  name         text        not null,
  position     integer     not null,
  state        text        not null,
  attempt      integer     not null default 1, -- token of the try that may write the outcome
  epoch        integer     not null default 1, -- part of the downstream key; grows only when no effect is proven
  undo_epoch   integer     not null default 1, -- likewise, of the undo's key
  no_return    boolean     not null default false,
    -- once it is sent, neither a cancel nor the end of patience stops the story
  request      jsonb, -- exactly what was sent, and will be sent again
  result       jsonb,
  refusal      jsonb,
  sent_at      timestamptz not null default now(),
  ended_at     timestamptz,
  irreversible boolean     not null default false, -- once it is sent, nothing is undone any more
  waits        boolean     not null default false, -- the flow's patience stands still from sent_at to ended_at
  constraint step_pkey primary key (operation_id, name),
  constraint step_operation_id_fkey foreign key (operation_id) references hapax.operation(id) on delete cascade,
  constraint step_irreversible_is_of_no_return check (no_return or not irreversible),
  constraint step_state_check check (state in ('planned', 'sent', 'done', 'failed', 'unknown', 'undoing', 'undone',
    'undo_failed'))
);
alter table hapax.step enable row level security, force row level security;
create policy acting_roles on hapax.step as restrictive to public using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.step to hapax_upkeep using (true);
create policy tenant_only on hapax.step to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update on hapax.step to hapax_app;
grant select, update, delete on hapax.step to hapax_upkeep;

-- Each request that came for an operation, and which layer decided. Written in batches.
create table hapax.arrival (
  id           bigint      not null generated always as identity,
  tenant       text        not null,
  operation_id text        not null,
  at           timestamptz not null,
  request_id   text        not null,
  decision     text        not null,
  layer        text        not null,
  user_agent   text,
  times        integer     not null default 1, -- arrivals beyond the first few of a batch are counted in one row
  browser      text        not null default 'unknown',
  device       text        not null default 'unknown',
  network      text        not null default 'unknown',
  constraint arrival_pkey primary key (id),
  constraint arrival_browser_is_a_word check (browser ~ '^[a-z0-9-]{1,12}$') not VALID,
  constraint arrival_device_is_a_word check (device ~ '^[a-z0-9-]{1,12}$') not VALID,
  constraint arrival_network_is_a_word check (network ~ '^[a-z0-9-]{1,12}$') not VALID
);
create index arrival_of_operation on hapax.arrival (operation_id, id);
create index arrival_to_forget on hapax.arrival (at);
alter table hapax.arrival enable row level security, force row level security;
create policy acting_roles on hapax.arrival as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.arrival to hapax_upkeep using (true);
create policy any_insert on hapax.arrival for insert to hapax_app with check (true);
create policy tenant_only on hapax.arrival to hapax_app using (tenant = hapax.current_tenant());
grant select, insert on hapax.arrival to hapax_app;
grant select, update, delete on hapax.arrival to hapax_upkeep;

-- A key that POST /v1/keys has issued before the action.
create table hapax.issued_key (
  key         text        not null,
  tenant      text        not null,
  environment text        not null,
  subject     text        not null,
  issued_at   timestamptz not null default now(),
  constraint issued_key_pkey primary key (key)
);
create index issued_key_to_forget on hapax.issued_key (issued_at);
alter table hapax.issued_key enable row level security, force row level security;
create policy acting_roles on hapax.issued_key as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.issued_key to hapax_upkeep using (true);
create policy tenant_only on hapax.issued_key to hapax_app using (tenant = hapax.current_tenant());
grant select, insert on hapax.issued_key to hapax_app;
grant select, update, delete on hapax.issued_key to hapax_upkeep;

-- What others are to be told, written in the transaction of the effect.
create table hapax.outbox (
  id           bigint      not null generated always as identity,
  writer       xid8        not null default pg_current_xact_id(),
    -- a relay reads by it, so that a row that commits late with a low number is not skipped
  tenant       text        not null,
  operation_id text        not null,
  aggregate    text        not null,
  sequence     bigint      not null,
  type         text        not null,
  payload      jsonb       not null,
  created_at   timestamptz not null default now(),
  constraint outbox_pkey primary key (id),
  constraint outbox_has_one_of_each unique (aggregate, sequence)
);
alter table hapax.outbox enable row level security, force row level security;
create policy acting_roles on hapax.outbox as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.outbox to hapax_upkeep using (true);
create policy tenant_only on hapax.outbox to hapax_app using (tenant = hapax.current_tenant());
grant select, insert on hapax.outbox to hapax_app;

-- What the shop sells: prices and stock are ours, never the client's.
create table hapax.catalogue_item (
  tenant      text    not null,
  environment text    not null,
  sku         text    not null,
  name        text    not null,
  price_minor bigint  not null,
  currency    text    not null,
  stock       integer not null,
  constraint catalogue_item_pkey primary key (tenant, environment, sku),
  constraint catalogue_item_currency_check check (currency ~ '^[a-z]{3}$'),
  constraint catalogue_item_environment_check check (environment in ('live', 'test')),
  constraint catalogue_item_price_minor_check check (price_minor > 0),
  constraint stock_is_never_negative check (stock >= 0)
);
alter table hapax.catalogue_item enable row level security, force row level security;
create policy acting_roles on hapax.catalogue_item as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep')) with check (true);
create policy owner_adds on hapax.catalogue_item for insert to the_owner with check (true);
create policy tenant_only on hapax.catalogue_item to hapax_app using (tenant = hapax.current_tenant());
grant select, update (stock) on hapax.catalogue_item to hapax_app;

-- The order of a checkout. It outlives the ledger's row.
create table hapax.customer_order (
  id             text        not null,
  tenant         text        not null,
  environment    text        not null,
  operation_id   text        not null,
  cart_id        text        not null,
  state          text        not null,
  amount_minor   bigint      not null,
  currency       text        not null,
  payment_intent text,
  email          text,
  created_at     timestamptz not null default now(),
  paid_at        timestamptz,
  constraint customer_order_pkey primary key (id),
  constraint order_of_one_operation unique (operation_id),
  constraint customer_order_amount_minor_check check (amount_minor > 0),
  constraint customer_order_state_check check (state in ('pending', 'paid', 'released')),
  constraint order_is_paid_by_a_payment check (state <> 'paid' or payment_intent is not null and paid_at is not null)
);
create unique index cart_has_one_live_order on hapax.customer_order (tenant, environment, cart_id)
    where (state in ('pending', 'paid'));
alter table hapax.customer_order enable row level security, force row level security;
create policy acting_roles on hapax.customer_order as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.customer_order to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update on hapax.customer_order to hapax_app;

-- What an order is of, at the price of that moment.
create table hapax.order_line (
  order_id    text    not null,
  tenant      text    not null,
  sku         text    not null,
  quantity    integer not null,
  price_minor bigint  not null,
  constraint order_line_pkey primary key (order_id, sku),
  constraint order_line_order_id_fkey foreign key (order_id) references hapax.customer_order(id) on delete cascade,
  constraint order_line_quantity_check check (quantity > 0)
);
alter table hapax.order_line enable row level security, force row level security;
create policy acting_roles on hapax.order_line as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.order_line to hapax_app using (tenant = hapax.current_tenant());
grant select, insert on hapax.order_line to hapax_app;

-- Stays for one release, for the build before 0020: awaited, of uploads only.
create table hapax.transfer (
  operation_id text        not null,
  tenant       text        not null,
  outcome      text        not null,
  method       text,
  object_key   text,
  size         bigint,
  sha256       text, -- computed by us or enforced by S3; null: still to be read
  sniffed_type text, -- what the first bytes show, empty where they show nothing; null: still to be read
  decided_at   timestamptz not null default now(),
  constraint transfer_pkey primary key (operation_id),
  constraint transfer_object_counts_once unique (object_key),
  constraint transfer_operation_id_fkey foreign key (operation_id) references hapax.operation(id) on delete cascade,
  constraint transfer_outcome_check check (outcome in ('received', 'closed')),
  constraint transfer_received_names_its_bytes check ((outcome = 'received') = (object_key is not null
    and method is not null and size is not null)),
  constraint transfer_sha256_check check (sha256 ~ '^[0-9a-f]{64}$'),
  constraint transfer_size_check check (size >= 0)
);
create trigger transfer_of_former_build after insert on hapax.transfer for each row
    execute function hapax.hear_former_build();
alter table hapax.transfer enable row level security, force row level security;
create policy acting_roles on hapax.transfer as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.transfer to hapax_upkeep using (true);
create policy tenant_only on hapax.transfer to hapax_app using (tenant = hapax.current_tenant());
grant select, insert on hapax.transfer to hapax_app;
grant select on hapax.transfer to hapax_upkeep;

-- Bytes that are known by their SHA-256 within a scope, and the one object that holds them. Assets refer to it.
create table hapax.content (
  id           text        not null,
  tenant       text        not null,
  environment  text        not null,
  dedup_scope  text        not null, -- digest of who may share it
  sha256       text        not null,
  size         bigint      not null,
  type         text        not null,
  object_key   text        not null,
  state        text        not null default 'live',
  collected_by text, -- the operation whose undo found it without references, and deletes its objects
  created_at   timestamptz not null default now(),
  constraint content_pkey primary key (id),
  constraint content_object_is_its_own unique (object_key),
  constraint content_environment_check check (environment in ('live', 'test')),
  constraint content_is_deleted_by_somebody check ((state = 'deleting') = (collected_by is not null)),
  constraint content_sha256_check check (sha256 ~ '^[0-9a-f]{64}$'),
  constraint content_size_check check (size >= 0),
  constraint content_state_check check (state in ('live', 'deleting'))
);
create unique index content_lives_once_in_its_scope on hapax.content (tenant, dedup_scope, sha256)
    where (state = 'live');
create index content_collected on hapax.content (collected_by) where (state = 'deleting');
alter table hapax.content enable row level security, force row level security;
create policy acting_roles on hapax.content as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.content to hapax_upkeep using (true);
create policy tenant_only on hapax.content to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update, delete on hapax.content to hapax_app;
grant select on hapax.content to hapax_upkeep;

-- What the caller of an upload gets: a name and a place for a content. It outlives the ledger's row.
create table hapax.asset (
  id           text        not null,
  tenant       text        not null,
  environment  text        not null,
  subject      text        not null,
  operation_id text        not null,
  destination  text        not null,
  name         text        not null,
  type         text        not null,
  content_id   text        not null,
  created_at   timestamptz not null default now(),
  ready_at     timestamptz,
  holds_place  boolean     not null default false, -- it was placed
    where no other of its subject might stand under its name
  replaced_by  text, -- the asset that has taken its place; undone, it gives the place back
  constraint asset_pkey primary key (id),
  constraint asset_of_one_operation unique (operation_id),
  constraint asset_content_id_fkey foreign key (content_id) references hapax.content(id),
  constraint asset_environment_check check (environment in ('live', 'test'))
);
create index asset_of_content on hapax.asset (content_id);
create unique index asset_holds_its_place on hapax.asset (tenant, environment, subject, destination, name)
    where (holds_place and (replaced_by is null));
create index asset_at_its_place on hapax.asset (tenant, environment, subject, destination, name)
    where (replaced_by is null);
alter table hapax.asset enable row level security, force row level security;
create policy acting_roles on hapax.asset as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.asset to hapax_upkeep using (true);
create policy tenant_only on hapax.asset to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update, delete on hapax.asset to hapax_app;
grant select on hapax.asset to hapax_upkeep;

-- The channel on which settled operations are told. Its name is a secret of those who may read the ledger.
create table hapax.news_channel (
  single boolean not null default true,
  name   text    not null,
  constraint news_channel_pkey primary key (single),
  constraint news_channel_single_check check (single)
);
alter table hapax.news_channel enable row level security, force row level security;
create policy acting_roles on hapax.news_channel as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy readers_of_the_ledger on hapax.news_channel for select to hapax_app using (true);
grant select on hapax.news_channel to hapax_app;

-- What was seen of each object store when upkeep tried it.
create table hapax.bucket_proof (
  endpoint        text        not null,
  bucket          text        not null,
  state           text        not null default 'untried',
  says            text        not null default '',
  failed_complete text,
  proved_at       timestamptz,
  next_try_at     timestamptz not null,
  constraint bucket_proof_pkey primary key (endpoint, bucket),
  constraint bucket_proof_failed_complete_check check (failed_complete in ('parts-kept', 'upload-gone', 'replaced',
    'unknown')),
  constraint bucket_proof_says_what_was_seen check ((state = 'untried') = (proved_at is null)),
  constraint bucket_proof_state_check check (state in ('untried', 'holds', 'failed'))
);
alter table hapax.bucket_proof enable row level security, force row level security;
create policy acting_roles on hapax.bucket_proof as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy prover on hapax.bucket_proof to hapax_upkeep using (true);
create policy readers_of_the_ledger on hapax.bucket_proof for select to hapax_app using (true);
grant select on hapax.bucket_proof to hapax_app;
grant select, insert, update on hapax.bucket_proof to hapax_upkeep;

-- Keys that callers bring, as hashes.
create table hapax.api_key (
  prefix       text        not null,
  hash         bytea       not null,
  tenant       text        not null,
  environment  text        not null,
  subject      text        not null,
  role         text        not null,
  note         text,
  created_at   timestamptz not null default now(),
  expires_at   timestamptz,
  last_used_at timestamptz,
  revoked_at   timestamptz,
  constraint api_key_pkey primary key (prefix),
  constraint api_key_environment check (environment in ('live', 'test')),
  constraint api_key_has_a_subject check (subject <> ''),
  constraint api_key_has_a_tenant check (tenant <> ''),
  constraint api_key_hash_is_sha256 check (octet_length(hash) = 32),
  constraint api_key_prefix_is_hex check (prefix ~ '^[0-9a-f]{12}$'),
  constraint api_key_role check (role in ('viewer', 'caller', 'operator'))
);
alter table hapax.api_key enable row level security, force row level security;
create policy acting_roles on hapax.api_key as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.api_key to hapax_upkeep using (true);
create policy found_by_prefix on hapax.api_key to hapax_app
    using (prefix = NULLIF(current_setting('hapax.api_key', true), ''));
grant select, update (last_used_at) on hapax.api_key to hapax_app;
grant select, insert, update on hapax.api_key to hapax_upkeep;

-- What an operation's step has met lately; written only when a try fails. The view says whether it is trouble now.
create table hapax.trouble (
  operation_id    text        not null,
  tenant          text        not null,
  flow            text        not null,
  step            text        not null,
  undoing         boolean     not null,
  says            text        not null,
  since           timestamptz not null default now(),
  tries           integer     not null default 1,
  next_try_at     timestamptz not null,
  needs_person_at timestamptz not null,
  constraint trouble_pkey primary key (operation_id),
  constraint trouble_operation_id_fkey foreign key (operation_id) references hapax.operation(id) on delete cascade,
  constraint trouble_tries_check check (tries >= 1)
);
alter table hapax.trouble enable row level security, force row level security;
create policy acting_roles on hapax.trouble as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.trouble to hapax_upkeep using (true);
create policy tenant_only on hapax.trouble to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update, delete on hapax.trouble to hapax_app;
grant select, delete on hapax.trouble to hapax_upkeep;

-- Operations that make no progress: one failed try is none, and what asks for a person at once is.
create view hapax.trouble_now with (security_invoker=true) as
 select t.operation_id,
    t.tenant,
    t.flow,
    t.step,
    t.undoing,
    t.says,
    t.since,
    t.tries,
    t.next_try_at,
    t.needs_person_at,
    t.needs_person_at <= now() as needs_person
   from hapax.trouble t
     join hapax.operation o on o.id = t.operation_id
  where o.settled_at is null and (t.tries >= 2 or t.needs_person_at <= t.since)
    and t.undoing = (o.state = 'compensating') and (t.needs_person_at <= t.since or not (exists ( select
           from hapax.step s
          where s.operation_id = t.operation_id and s.name = t.step and
                case
                    when t.undoing then s.state in ('undone', 'undo_failed')
                    else (s.state in ('done', 'failed')) or s.state = 'unknown' and s.ended_at is not null
                end)));
grant select on hapax.trouble_now to hapax_app;
grant select on hapax.trouble_now to hapax_upkeep;

-- What people have found out about steps in trouble. The step's next try decides what becomes of a row.
create table hapax.resolution (
  operation_id text        not null,
  number       integer     not null,
  tenant       text        not null,
  step         text        not null,
  outcome      text        not null,
  result       jsonb,
  evidence     text        not null,
  reason       text        not null,
  said_by      text        not null,
  said_at      timestamptz not null default now(),
  due_at       timestamptz not null, -- a try that was under way when it was said has ended by then
  verdict      text, -- held: confirmed or followed; lapsed: verdict_says tells why; null: waits
  verdict_says text,
  verdict_at   timestamptz,
  constraint resolution_pkey primary key (operation_id, number),
  constraint resolution_operation_id_fkey foreign key (operation_id) references hapax.operation(id) on delete cascade,
  constraint resolution_has_a_result_where_done check ((outcome = 'done') = (result is not null)),
  constraint resolution_outcome_check check (outcome in ('done', 'no-effect')),
  constraint resolution_says_why_it_lapsed check ((not verdict is distinct from 'lapsed') = (verdict_says is not null)),
  constraint resolution_verdict_check check (verdict in ('held', 'lapsed')),
  constraint resolution_verdict_has_a_time check ((verdict is null) = (verdict_at is null))
);
create unique index resolution_waits_alone on hapax.resolution (operation_id, step) where (verdict is null);
alter table hapax.resolution enable row level security, force row level security;
create policy acting_roles on hapax.resolution as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.resolution to hapax_upkeep using (true);
create policy tenant_only on hapax.resolution to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update on hapax.resolution to hapax_app;
grant select, delete on hapax.resolution to hapax_upkeep;

-- What became of a step that waits for something from outside: whoever inserts first decides. Committed before any signal.
create table hapax.awaited (
  operation_id text        not null,
  step         text        not null,
  tenant       text        not null,
  outcome      text        not null,
  evidence     jsonb,
  sameness     text, -- two pieces of evidence with the same text say the same
  decided_at   timestamptz not null default now(),
  constraint awaited_pkey primary key (operation_id, step),
  constraint awaited_operation_id_fkey foreign key (operation_id) references hapax.operation(id) on delete cascade,
  constraint awaited_has_evidence_where_arrived check ((outcome = 'arrived') = (evidence is not null
    and sameness is not null)),
  constraint awaited_outcome_check check (outcome in ('arrived', 'closed'))
);
create trigger awaited_as_former_build after insert on hapax.awaited for each row when (new.step = 'receive')
    execute function hapax.tell_former_build();
alter table hapax.awaited enable row level security, force row level security;
create policy acting_roles on hapax.awaited as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.awaited to hapax_upkeep using (true);
create policy tenant_only on hapax.awaited to hapax_app using (tenant = hapax.current_tenant());
grant select, insert on hapax.awaited to hapax_app;
grant select, update on hapax.awaited to hapax_upkeep;

-- Evidence that lost against another, or came after the end of its wait.
create table hapax.stray (
  operation_id text        not null,
  step         text        not null,
  sameness     text        not null,
  tenant       text        not null,
  evidence     jsonb       not null,
  why          text        not null,
  came_at      timestamptz not null default now(),
  constraint stray_pkey primary key (operation_id, step, sameness),
  constraint stray_operation_id_fkey foreign key (operation_id) references hapax.operation(id) on delete cascade,
  constraint stray_why_check check (why in ('lost', 'late'))
);
alter table hapax.stray enable row level security, force row level security;
create policy acting_roles on hapax.stray as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.stray to hapax_upkeep using (true);
create policy tenant_only on hapax.stray to hapax_app using (tenant = hapax.current_tenant());
grant select, insert on hapax.stray to hapax_app;
grant select, delete on hapax.stray to hapax_upkeep;

-- An upload whose bytes come in pieces: how many bytes are acknowledged, and who may write the next.
create table hapax.upload_session (
  operation_id text        not null,
  tenant       text        not null,
  size         bigint, -- null until the caller tells it
  received     bigint      not null default 0, -- bytes from the first on that are stored and will not be lost
  epoch        integer     not null default 0, -- grows with each writer: a former one commits nothing more
  writing      boolean     not null default false, -- somebody writes,
    or died while writing: a part of theirs may still reach the store
  segment      integer     not null default 1, -- the multipart upload that parts go to
  next_part    integer     not null default 1,
  hash         bytea,
    -- state of the SHA-256 over `received` bytes, readable only by the implementation in hash_tag; null: to be read
  hash_tag     text,
  start        bytea       not null default '\x'::bytea, -- the first bytes, which show the type
  part_size    bigint, -- of the parts that a caller sends straight to the object store; null: it sends none,
    or chooses itself
  touched_at   timestamptz not null default now(),
  crc64nvme    text, -- of all bytes in base64, as the sender of parts has told it; the object store compares it
  constraint upload_session_pkey primary key (operation_id),
  constraint upload_session_operation_id_fkey foreign key (operation_id) references hapax.operation(id) on delete cascade,
  constraint upload_session_crc64nvme_is_base64 check (crc64nvme ~ '^[A-Za-z0-9+/]{10}[AEIMQUYcgkosw048]=$'),
  constraint upload_session_hash_says_whose check ((hash is null) = (hash_tag is null)),
  constraint upload_session_part_size_check check (part_size >= 5242880 and part_size <= '5368709120'::bigint),
  constraint upload_session_received_check check (received >= 0),
  constraint upload_session_size_check check (size >= 0),
  constraint upload_session_within_its_size check (received <= size)
);
alter table hapax.upload_session enable row level security, force row level security;
create policy acting_roles on hapax.upload_session as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.upload_session to hapax_upkeep using (true);
create policy tenant_only on hapax.upload_session to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update, delete on hapax.upload_session to hapax_app;
grant select on hapax.upload_session to hapax_upkeep;

-- A multipart upload, recorded before its first part is sent.
create table hapax.upload_segment (
  operation_id text    not null,
  segment      integer not null,
  tenant       text    not null,
  object_key   text    not null,
  s3_upload_id text    not null,
  checksum     text    not null,
    -- what its parts are checked against: CRC32 by us, the others by a caller that sends parts to the object store
  constraint upload_segment_pkey primary key (operation_id, segment),
  constraint upload_segment_operation_id_fkey foreign key (operation_id) references hapax.upload_session(operation_id) on delete cascade,
  constraint upload_segment_checksum_check check (checksum in ('CRC32', 'SHA256', 'CRC64NVME'))
);
alter table hapax.upload_segment enable row level security, force row level security;
create policy acting_roles on hapax.upload_segment as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.upload_segment to hapax_upkeep using (true);
create policy tenant_only on hapax.upload_segment to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update, delete on hapax.upload_segment to hapax_app;
grant select on hapax.upload_segment to hapax_upkeep;

-- The checksum of parts that were signed for a caller, as S3 writes it. The newest one counts.
create table hapax.upload_signed_part (
  operation_id text    not null,
  part         integer not null,
  tenant       text    not null,
  checksum     text    not null,
  constraint upload_signed_part_pkey primary key (operation_id, part),
  constraint upload_signed_part_operation_id_fkey foreign key (operation_id) references hapax.upload_session(operation_id) on delete cascade,
  constraint upload_signed_part_part_check check (part >= 1 and part <= 10000)
);
alter table hapax.upload_signed_part enable row level security, force row level security;
create policy acting_roles on hapax.upload_signed_part as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.upload_signed_part to hapax_upkeep using (true);
create policy tenant_only on hapax.upload_signed_part to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update, delete on hapax.upload_signed_part to hapax_app;
grant select on hapax.upload_signed_part to hapax_upkeep;

-- Where acknowledged bytes are: in a part of a segment, or in an object of their own.
create table hapax.upload_piece (
  operation_id text    not null,
  at           bigint  not null, -- offset of its first byte
  size         bigint  not null,
  tenant       text    not null,
  segment      integer,
  part         integer,
  etag         text,
  checksum     text, -- of a part, as S3 writes it
  object_key   text,
  id           text    default (operation_id || '.') ||
case
    when segment = 0 then 'part-' || part::text
    else at::text
end, -- what a chunk or a part is called in the API and in logs
  constraint upload_piece_pkey primary key (operation_id, at),
  constraint upload_piece_part_counts_once unique (operation_id, segment, part),
  constraint upload_piece_operation_id_fkey foreign key (operation_id) references hapax.upload_session(operation_id) on delete cascade,
  constraint upload_piece_at_check check (at >= 0),
  constraint upload_piece_is_a_part_or_an_object check ((part is null) = (object_key is not null)),
  constraint upload_piece_part_check check (part >= 1 and part <= 10000),
  constraint upload_piece_part_is_whole check ((part is null) = (segment is null) and (part is null) = (etag is null)),
  constraint upload_piece_size_check check (size > 0)
);
alter table hapax.upload_piece enable row level security, force row level security;
create policy acting_roles on hapax.upload_piece as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.upload_piece to hapax_upkeep using (true);
create policy tenant_only on hapax.upload_piece to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update, delete on hapax.upload_piece to hapax_app;
grant select on hapax.upload_piece to hapax_upkeep;

-- Functions ───────────────────────────────────────────────────────────────────────────────────────────────────────────

-- The tenant whose rows this session sees.
create function hapax.current_tenant()
returns text language sql stable
RETURN NULLIF(current_setting('hapax.tenant'::text, true), ''::text);

-- Stays for one release, for workers of the build before 0018: calls enter().
create function hapax.hold(held text, held_fence bigint, entering text, entered text)
returns void language plpgsql
as $$
begin
  if entering like '% step%' then
    perform hapax.enter(
      held, held_fence, 'step', entered, split_part(entering, ' ', 1)::hapax.effect, entering like '% of no return');
  else
    perform hapax.enter(
      held, held_fence, (case entering when 'settle' then 'record' else entering end)::hapax.entering, null, null, null);
  end if;
end $$;

-- Whether the step of no return is begun in time, decided under the operation's lock.
create function hapax.expect_patience(held text, patience_ms double precision)
returns void language plpgsql
as $$
declare
  op record;
begin
  select no_return_at, created_at into op from hapax.operation where id = held for no key update;
  -- The cheap question first: an operation that is younger than its patience has not used it up.
  if op.no_return_at is null and op.created_at + patience_ms * interval '1 millisecond' < now()
    and hapax.patience_gone(held) > patience_ms * interval '1 millisecond' then
    raise exception 'the patience of operation % has ended', held using errcode = 'HX006';
  end if;
end $$;

-- The first take-over of an operation, in the transaction of its first step.
create function hapax.open_operation(opened text, run text, patience_ms double precision)
returns void language plpgsql
as $$
begin
  perform from hapax.operation
    where id = opened and fence = 0 and settled_at is null
      and created_at + patience_ms * interval '1 millisecond' > now()
    for no key update;
  if not found then
    raise exception 'operation % is not to be opened: it was held before, has settled or has waited too long', opened
      using errcode = 'HX007';
  end if;
  perform hapax.move(opened, 'running', new_fence => 1, new_run => run);
end $$;

-- Records a step in the statement of its effect, and gives what that answers with as `done`.
create function hapax.step_done(held text, entered text, outcome jsonb)
returns jsonb language plpgsql
as $$
begin
  update hapax.step set state = 'done', result = outcome, refusal = null, ended_at = now()
    where operation_id = held and name = entered;
  if not found then
    raise exception 'step % of operation % was not begun', entered, held;
  end if;
  return jsonb_build_object('result', outcome);
end $$;

-- Takes an operation's name, or gives the row that has it; no row where the name is free and nothing is to be inserted.
create function hapax.claim(
  may_insert boolean, new_id text, of_tenant text, of_environment text, asked_by text, of_key_subject text,
  of_flow text, new_flow_version integer, of_key text, new_generation integer, new_fingerprint text,
  new_fingerprint_version integer, new_request jsonb, new_request_id text, new_state text,
  patience_ms double precision)
returns table (
  created boolean, id text, environment text, generation integer, fingerprint text, fingerprint_version integer,
  state text, request_id text, run_id text, renewable boolean, deadline timestamptz, created_at timestamptz,
  flow_version integer, answer_status integer, answer_headers jsonb, answer_body bytea,
  answer_expires_at timestamptz, settled_at timestamptz) language plpgsql set enable_seqscan = off
as $$
begin
  perform set_config('hapax.tenant', of_tenant, true);
  for turn in 1..20 loop
    -- Each statement has a snapshot of its own: who has lost the name to another claim sees that one's row in the next turn.
    -- Twenty turns are no limit that a race can reach: past them something else is wrong, and it is said.
    return query
      select false, o.id, o.environment, o.generation, o.fingerprint, o.fingerprint_version, o.state, o.request_id, o.run_id,
             o.renewable, o.deadline, o.created_at, o.flow_version, o.answer_status, o.answer_headers, o.answer_body,
             o.answer_expires_at, o.settled_at
      from (
        select * from hapax.operation named
        where named.tenant = of_tenant and named.environment = of_environment and named.key_subject = of_key_subject
          and named.flow = of_flow and named.key = of_key
        order by named.generation desc limit 1) o
      where o.generation >= new_generation or (o.generation = new_generation - 1 and not o.renewable);
    if found or not may_insert then
      return;
    end if;
    -- A generation follows one that stands, and that stays until this claim has committed: were it dropped as outlived in
    -- between, others would begin at the first generation beside this one.
    if new_generation > 1 then
      perform from hapax.operation before
        where before.tenant = of_tenant and before.environment = of_environment and before.key_subject = of_key_subject
          and before.flow = of_flow and before.key = of_key and before.generation = new_generation - 1
        for key share;
      if not found then
        return;
      end if;
    end if;
    return query
      insert into hapax.operation as o (
        id, tenant, environment, subject, key_subject, flow, flow_version, key, generation, fingerprint, fingerprint_version,
        request, request_id, state, deadline)
      values (
        new_id, of_tenant, of_environment, asked_by, of_key_subject, of_flow, new_flow_version, of_key, new_generation,
        new_fingerprint, new_fingerprint_version, new_request, new_request_id, new_state,
        now() + patience_ms * interval '1 millisecond')
      on conflict do nothing
      returning true, o.id, o.environment, o.generation, o.fingerprint, o.fingerprint_version, o.state, o.request_id, o.run_id,
                o.renewable, o.deadline, o.created_at, o.flow_version, o.answer_status, o.answer_headers, o.answer_body,
                o.answer_expires_at, o.settled_at;
    if found then
      return;
    end if;
  end loop;
  raise exception 'the claim of % neither wins its name nor sees who has it', new_id;
end $$;

-- The key that has a prefix; no row where it is unknown, revoked or expired.
create function hapax.find_api_key(of_prefix text)
returns table (
  hash bytea, tenant text, environment text, subject text, role text, expires_in_ms double precision,
  used_lately boolean) language plpgsql
as $$
begin
  perform set_config('hapax.api_key', of_prefix, true);
  return query
    select k.hash, k.tenant, k.environment, k.subject, k.role,
           extract(epoch from k.expires_at - clock_timestamp())::double precision * 1000,
           coalesce(k.last_used_at > clock_timestamp() - interval '1 minute', false)
    from hapax.api_key k
    where k.prefix = of_prefix and k.revoked_at is null
      and (k.expires_at is null or k.expires_at > clock_timestamp());
end $$;

-- Notes that a key was used, at most once a minute.
create function hapax.use_api_key(of_prefix text)
returns void language plpgsql
as $$
begin
  perform set_config('hapax.api_key', of_prefix, true);
  update hapax.api_key k set last_used_at = clock_timestamp()
  where k.prefix = of_prefix
    and (k.last_used_at is null or k.last_used_at < clock_timestamp() - interval '1 minute');
end $$;

-- How much work the workers have in hand, for admission: numbers of all tenants, and no rows.
create function hapax.work_in_hand()
returns table (tenant text, operations integer, waited double precision) language sql stable security definer set search_path = hapax, pg_temp
BEGIN ATOMIC
 WITH in_hand AS MATERIALIZED (
          SELECT o.tenant,
                 CASE
                     WHEN (o.state = 'claimed'::text) THEN (EXTRACT(epoch FROM (now() - o.created_at)) * (1000)::numeric)
                     ELSE NULL::numeric
                 END AS waiting
            FROM hapax.operation o
           WHERE ((o.state = ANY (ARRAY['claimed'::text, 'running'::text, 'indeterminate'::text, 'compensating'::text])) AND (o.updated_at > (now() -
                 CASE
                     WHEN (o.state = 'claimed'::text) THEN '00:10:00'::interval
                     ELSE '00:00:30'::interval
                 END)))
         )
  SELECT i.tenant,
     (count(*))::integer AS count,
     COALESCE(( SELECT percentile_cont((0.5)::double precision) WITHIN GROUP (ORDER BY ((in_hand.waiting)::double precision)) AS percentile_cont
            FROM in_hand), (0)::double precision) AS "coalesce"
    FROM in_hand i
   GROUP BY i.tenant;
END;
alter function hapax.work_in_hand() owner to hapax_upkeep;
revoke all on function hapax.work_in_hand() from public;
grant execute on function hapax.work_in_hand() to hapax_app;

-- Takes a person's word on a step in trouble, under the operation's lock, where the ledger does not know better.
create function hapax.record_resolution(
  of_operation text, of_step text, said jsonb, ours boolean, optional boolean, longest_try interval)
returns text language plpgsql
as $$
declare
  op record;
  before record;
  in_trouble boolean;
  doubted record;
begin
  select tenant, state, settled_at into op from hapax.operation where id = of_operation for no key update;
  if not found then
    return 'missing';
  end if;
  in_trouble := exists (select from hapax.trouble_now where operation_id = of_operation and step = of_step and not undoing);
  select outcome, result, evidence, reason, verdict into before
    from hapax.resolution where operation_id = of_operation and step = of_step order by number desc limit 1;
  -- Another person may say the same, and what has lapsed may be said again. A step that was tried anew may be in trouble again.
  if found and (before.verdict is null or (before.verdict = 'held' and not in_trouble)) then
    return case when before.outcome = said ->> 'outcome' and before.result is not distinct from said -> 'result'
                 and before.evidence = said ->> 'evidence' and before.reason = said ->> 'reason'
                then 'resolved' else 'resolved-otherwise' end;
  elsif op.settled_at is not null then
    return 'already-settled';
  elsif op.state = 'compensating' then
    return 'compensating';
  elsif not in_trouble then
    return 'not-in-doubt';
  end if;
  select state, irreversible into doubted from hapax.step where operation_id = of_operation and name = of_step;
  if doubted.state is not null and doubted.state not in ('planned', 'sent', 'unknown', 'failed') then
    return 'not-in-doubt';
  end if;
  if said ->> 'outcome' = 'done' then
    -- Planned, or without a row, it is proven not to have happened.
    if ours or doubted.state is null or doubted.state not in ('sent', 'unknown') then
      return 'not-in-doubt';
    end if;
  elsif not optional and exists (
    select from hapax.step where operation_id = of_operation and name <> of_step and irreversible
      and state in ('sent', 'unknown', 'done')) then
    return 'forward-only';
  end if;
  insert into hapax.resolution (operation_id, number, tenant, step, outcome, result, evidence, reason, said_by, due_at)
  select of_operation, coalesce(max(number), 0) + 1, op.tenant, of_step, said ->> 'outcome', said -> 'result',
    said ->> 'evidence', said ->> 'reason', said ->> 'by',
    -- What its undo would take back need not be waited for.
    now() + case when said ->> 'outcome' = 'no-effect' and doubted.irreversible and doubted.state in ('sent', 'unknown')
                 then 2 * longest_try else interval '0' end
  from hapax.resolution where operation_id = of_operation;
  -- No run may be there to try the step.
  update hapax.operation set next_look_at = now(), looks = 0 where id = of_operation;
  return 'resolved';
end $$;

-- The moves that an operation may make: the list of workflows/operation/state.ts and of ARCHITECTURE.md.
create function hapax.may_move(from_state text, to_state text)
returns boolean language sql immutable parallel safe
as $$
  select (from_state, to_state) in (
    ('claimed', 'running'),
    ('running', 'waiting'),
    ('running', 'indeterminate'),
    ('running', 'compensating'),
    ('running', 'succeeded'),
    ('waiting', 'running'),
    ('waiting', 'indeterminate'),
    ('waiting', 'compensating'),
    ('indeterminate', 'running'),
    ('indeterminate', 'waiting'),
    ('indeterminate', 'compensating'),
    ('indeterminate', 'succeeded'),
    ('compensating', 'refused'),
    ('compensating', 'compensated'),
    ('compensating', 'compensation_incomplete'),
    ('compensating', 'cancelled'),
    ('compensating', 'expired'))
$$;

-- Refuses a move that is not listed, and says why, whoever writes it.
create function hapax.check_move()
returns trigger language plpgsql
as $$
begin
  if tg_op = 'INSERT' then
    raise exception 'operation % cannot begin as %', new.id, new.state using errcode = 'HX008';
  elsif hapax.may_move(old.state, new.state) then
    return new;
  elsif old.settled_at is not null then
    raise exception 'operation % has settled as % and cannot become %', old.id, old.state, new.state
      using errcode = 'HX002';
  elsif old.state = 'compensating' then
    raise exception 'operation % is compensating and cannot become %', old.id, new.state using errcode = 'HX003';
  end if;
  raise exception 'operation % cannot become % while it is %', old.id, new.state, old.state using errcode = 'HX008';
end $$;

-- The only writer of an operation's state after the claim, and of whatever belongs to a move. Its callers hold the row's
-- lock and have decided. A move to the state that the operation is in writes the rest.
create function hapax.move(
  of_operation text, to_state text, new_fence bigint default null, new_run text default null,
  past_return boolean default false, new_ending jsonb default null, look_within interval default null,
  settled_with hapax.settlement default null)
returns void language plpgsql
as $$
begin
  update hapax.operation o
  set state = to_state,
      updated_at = now(),
      fence = coalesce(new_fence, o.fence),
      run_id = coalesce(new_run, o.run_id),
      no_return_at = coalesce(o.no_return_at, case when past_return then now() end),
      ending = coalesce(o.ending, new_ending), -- the first one stays
      next_look_at = least(o.next_look_at, now() + look_within),
      settled_at = case when settled_with is distinct from null then now() end,
      answer_status = settled_with.status,
      answer_headers = settled_with.headers,
      answer_body = settled_with.body,
      result = settled_with.result,
      refusal = settled_with.refusal,
      renewable = coalesce(settled_with.renewable, false),
      answer_expires_at = now() + settled_with.answer_for,
      tombstone_until = now() + settled_with.key_for,
      sweep_at = now() + settled_with.sweep_after
  where o.id = of_operation and o.settled_at is null;
  if not found then
    raise exception 'operation % is not open and cannot become %', of_operation, to_state using errcode = 'HX002';
  end if;
end $$;

-- A take-over: a run that held the operation before cannot write any more. Gives what the new run has to know; of a
-- settled operation its state, of a missing one no row.
create function hapax.take_over(of_operation text, new_run text)
returns table (
  taken boolean, state text, fence bigint, request jsonb, request_id text, ending jsonb, deadline_ms numeric,
  age_ms numeric, forward boolean, done jsonb) language plpgsql
as $$
declare
  op record;
begin
  select o.state, o.fence, o.settled_at into op from hapax.operation o where o.id = of_operation for no key update;
  if not found then
    return;
  elsif op.settled_at is null then
    perform hapax.move(
      of_operation, case op.state when 'claimed' then 'running' else op.state end,
      new_fence => op.fence + 1, new_run => new_run);
  end if;
  -- Read behind the lock: what another run has committed while this one waited for it is seen.
  return query
    select o.settled_at is null, o.state, o.fence, o.request, o.request_id, o.ending, extract(epoch from o.deadline) * 1000,
           extract(epoch from hapax.patience_gone(of_operation)) * 1000, o.no_return_at is not null, coalesce(steps.done, '{}')
    from hapax.operation o, lateral (
      select jsonb_object_agg(s.name, s.result) as done
      from hapax.step s where s.operation_id = o.id and s.state = 'done') steps
    where o.id = of_operation;
end $$;

-- The fence, with which each ledger transaction of a run begins: locks the operation, and refuses a run that was taken
-- over, a settled operation, and a new step after a cancel. The last three parameters are a step's, and null otherwise.
create function hapax.enter(
  of_operation text, with_fence bigint, entering hapax.entering, of_step text, step_effect hapax.effect,
  without_return boolean)
returns void language plpgsql
as $$
declare
  op record;
  step_state text;
  next_state text;
begin
  if num_nulls(of_step, step_effect, without_return) <> (case entering when 'step' then 0 else 3 end) then
    raise exception 'a step, its effect and whether it returns belong to entering a step, and to nothing else';
  end if;
  select state, settled_at, fence, cancel_requested_at, no_return_at into op
    from hapax.operation where id = of_operation for no key update;
  if not found then
    raise exception 'operation % is not in the ledger', of_operation using errcode = 'HX004';
  elsif op.settled_at is not null then
    raise exception 'operation % has settled as %', of_operation, op.state using errcode = 'HX002';
  elsif op.fence <> with_fence then
    raise exception 'operation % was taken over (fence % < %)', of_operation, with_fence, op.fence using errcode = 'HX001';
  end if;
  -- A statement of its own, behind the lock: it sees what another try has committed while this one waited.
  if step_effect in ('transaction', 'keyed') then
    select state into step_state from hapax.step where operation_id = of_operation and name = of_step;
  end if;
  if step_state = 'done' and step_effect = 'transaction' then
    raise exception 'step % of operation % is done', of_step, of_operation using errcode = 'HX005';
  end if;
  if entering in ('step', 'proceed')
    and (op.state = 'compensating' or (op.cancel_requested_at is not null and op.no_return_at is null)) then
    raise exception 'operation % is to be cancelled', of_operation using errcode = 'HX003';
  end if;
  case entering
    when 'step' then
      -- A try of a keyed step that finds one that was sent and never answered is in doubt.
      next_state := case when step_effect = 'keyed' and step_state in ('sent', 'unknown')
                         then 'indeterminate' else 'running' end;
      if op.state <> next_state or (without_return and op.no_return_at is null) then
        perform hapax.move(of_operation, next_state, past_return => without_return);
      end if;
    when 'wait' then
      if op.state <> 'waiting' then
        perform hapax.move(of_operation, 'waiting');
      end if;
    when 'undo' then
      if op.state <> 'compensating' then
        raise exception 'operation % is not compensating', of_operation using errcode = 'HX001';
      end if;
    when 'proceed', 'record' then null;
  end case;
end $$;

-- Turns to the undos unless what may have happened stands against it. Gives the ending that counts; null: it stays.
create function hapax.turn_to_compensating(of_operation text, new_ending jsonb, refused boolean)
returns jsonb language plpgsql
as $$
begin
  -- Where it has turned already, what was decided then counts.
  if exists (select from hapax.operation where id = of_operation and state = 'compensating') then
    return (select ending from hapax.operation where id = of_operation);
  end if;
  if exists (
    select from hapax.step
    where operation_id = of_operation and (irreversible or (no_return and not refused))
      and state in ('sent', 'unknown', 'done')) then
    return null;
  end if;
  perform hapax.move(of_operation, 'compensating', new_ending => new_ending);
  return (select ending from hapax.operation where id = of_operation);
end $$;

-- Outcome and answer in one write, and the news to everyone who waits, delivered with the commit. `by` is the step that
-- ends the story, in whose transaction this is: nothing settles unless it is done.
create function hapax.settle(of_operation text, to_state text, settled_with hapax.settlement, by text)
returns void language plpgsql
as $$
begin
  if by is not null and not exists (
    select from hapax.step where operation_id = of_operation and name = by and state = 'done') then
    return;
  end if;
  perform hapax.move(of_operation, to_state, settled_with => settled_with);
  perform pg_notify((select name from hapax.news_channel), case
    when octet_length(answer_body) + octet_length(answer_headers::text) < 5000
    then jsonb_build_object('id', id, 'tenant', tenant, 'state', state, 'renewable', renewable,
      'flowVersion', flow_version, 'status', answer_status, 'headers', answer_headers,
      'body', encode(answer_body, 'base64'), 'expiresAt', answer_expires_at)::text
    else jsonb_build_object('id', id, 'tenant', tenant)::text end)
  from hapax.operation where id = of_operation;
end $$;

-- How much of a flow's patience is gone: the time in which steps waited does not count.
create function hapax.patience_gone(of_operation text)
returns interval language sql stable
as $$
  select now() - o.created_at - coalesce((
    select sum(coalesce(s.ended_at, now()) - case when s.position = 0 then o.created_at else s.sent_at end)
    from hapax.step s where s.operation_id = o.id and s.waits), '0')
  from hapax.operation o where o.id = of_operation
$$;

-- Begins a step that waits, or finds it begun, and gives how long there is left.
create function hapax.begin_wait(
  of_operation text, of_step text, at_position integer, patience_ms double precision)
returns table (cancelled boolean, remaining_ms double precision) language plpgsql
as $$
begin
  insert into hapax.step (operation_id, tenant, name, position, state, request, waits)
  select o.id, o.tenant, of_step, at_position, 'sent', 'null', true from hapax.operation o where o.id = of_operation
  on conflict do nothing;
  if found and at_position > 0 then
    update hapax.operation set deadline = now() + patience_ms * interval '1 millisecond' where id = of_operation;
    -- Callers who wait for the end are told that it is somebody's turn. The row says the rest.
    perform pg_notify((select name from hapax.news_channel), jsonb_build_object('id', id, 'tenant', tenant)::text)
    from hapax.operation where id = of_operation;
  end if;
  return query
    select o.cancel_requested_at is not null and o.no_return_at is null,
           greatest(0, extract(epoch from o.deadline - now()) * 1000)::double precision
    from hapax.operation o where o.id = of_operation;
end $$;

-- The way in for what a step waits for. The first evidence counts, the same again is answered alike, another is a stray.
create function hapax.arrive(
  of_operation text, of_step text, at_position integer, new_evidence jsonb, new_sameness text, even_due boolean)
returns table (outcome text, counts jsonb) language plpgsql
as $$
declare
  op record;
  decided record;
  lost text;
  begun boolean;
begin
  select id, tenant, state, settled_at, cancel_requested_at, no_return_at, deadline, sweep_at into op
    from hapax.operation where id = of_operation for no key update;
  if not found then
    return query select 'missing', null::jsonb;
    return;
  end if;
  -- A flow that begins with its wait is waiting before its story has begun it.
  begun := op.state in ('claimed', 'waiting') and (at_position = 0 or exists (
    select from hapax.step where operation_id = of_operation and name = of_step and state = 'sent'));
  select a.outcome, a.evidence, a.sameness into decided
    from hapax.awaited a where a.operation_id = of_operation and a.step = of_step;
  if decided.outcome = 'arrived' and (decided.sameness = new_sameness or decided.evidence = new_evidence) then
    return query select 'repeated', decided.evidence;
    return;
  elsif decided.outcome = 'arrived' then
    lost := 'lost';
  elsif decided.outcome = 'closed' or op.settled_at is not null or op.state = 'compensating'
    or (op.cancel_requested_at is not null and op.no_return_at is null) then
    lost := 'late';
  elsif begun and not even_due and op.deadline <= now() then
    return query select 'due', null::jsonb;
    return;
  end if;
  if lost is not null then
    insert into hapax.stray (operation_id, step, sameness, tenant, evidence, why)
    values (of_operation, of_step, new_sameness, op.tenant, new_evidence, lost)
    on conflict do nothing;
    -- After the flow's own sweep nobody would look for it.
    if found and op.settled_at is not null then
      update hapax.operation set sweep_at = least(sweep_at, now()) where id = of_operation;
    end if;
    return query select lost, decided.evidence;
    return;
  end if;
  insert into hapax.awaited (operation_id, step, tenant, outcome, evidence, sameness)
  values (of_operation, of_step, op.tenant, 'arrived', new_evidence, new_sameness);
  if begun then
    perform hapax.move(of_operation, 'running', look_within => interval '2 seconds');
  end if;
  return query select 'arrived', new_evidence;
end $$;

-- Closes a wait whose deadline has passed, unless something has arrived.
create function hapax.close_wait(of_operation text, of_step text)
returns void language sql
as $$
  insert into hapax.awaited (operation_id, step, tenant, outcome)
  select id, of_step, tenant, 'closed' from hapax.operation where id = of_operation and deadline <= now()
  on conflict do nothing
$$;

-- Stays for one release: doors and workers of the build before 0020 read transfer.
create function hapax.tell_former_build()
returns trigger language plpgsql
as $$
begin
  if (select flow from hapax.operation where id = new.operation_id) <> 'upload' then
    return null;
  end if;
  insert into hapax.transfer (operation_id, tenant, outcome, method, object_key, size, sha256, sniffed_type)
  values (new.operation_id, new.tenant, case new.outcome when 'arrived' then 'received' else new.outcome end,
    new.evidence ->> 'method', new.evidence ->> 'objectKey', (new.evidence ->> 'size')::bigint, new.evidence ->> 'sha256',
    new.evidence ->> 'sniffedType')
  on conflict do nothing;
  return null;
end $$;

-- Stays for one release: doors and workers of the build before 0020 write transfer.
create function hapax.hear_former_build()
returns trigger language plpgsql
as $$
begin
  insert into hapax.awaited (operation_id, step, tenant, outcome, evidence, sameness)
  values (new.operation_id, 'receive', new.tenant, case new.outcome when 'received' then 'arrived' else new.outcome end,
    case new.outcome when 'received' then jsonb_build_object('method', new.method, 'objectKey', new.object_key,
      'size', new.size, 'sha256', new.sha256, 'sniffedType', new.sniffed_type) end,
    new.object_key)
  on conflict do nothing;
  return null;
end $$;

-- Makes the caller the only writer of an upload, if its first byte is the next one.
create function hapax.take_session(of_operation text, at_offset bigint, told_size bigint)
returns table (
  outcome text, received bigint, size bigint, epoch integer, segment integer, part integer, object_key text,
  s3_upload_id text, hash bytea, hash_tag text, start bytea, tails jsonb) language plpgsql
as $$
declare
  it hapax.upload_session;
begin
  insert into hapax.upload_session (operation_id, tenant, size)
  select o.id, o.tenant, (o.request ->> 'size')::bigint from hapax.operation o
  where o.id = of_operation and o.settled_at is null
    and not exists (select from hapax.awaited a where a.operation_id = o.id and a.step = 'receive')
  on conflict do nothing;
  select * into it from hapax.upload_session s where s.operation_id = of_operation for no key update;
  if not found then
    return query select 'ended', 0::bigint, null::bigint, 0, 0, 0, null, null, null::bytea, null, null::bytea, null::jsonb;
    return;
  elsif it.received <> at_offset then
    return query select 'elsewhere', it.received, it.size, it.epoch, 0, 0, null, null, null::bytea, null, null::bytea, null::jsonb;
    return;
  elsif it.size <> told_size or told_size < it.received then
    return query select 'otherwise', it.received, it.size, it.epoch, 0, 0, null, null, null::bytea, null, null::bytea, null::jsonb;
    return;
  end if;
  if it.writing and exists (
    select from hapax.upload_segment g where g.operation_id = of_operation and g.segment = it.segment
  ) then
    it.segment := it.segment + 1;
    it.next_part := 1;
  end if;
  update hapax.upload_session s
  set epoch = it.epoch + 1, writing = true, segment = it.segment, next_part = it.next_part,
      size = coalesce(it.size, told_size), touched_at = now()
  where s.operation_id = of_operation;
  return query
    select 'taken', it.received, coalesce(it.size, told_size), it.epoch + 1, it.segment, it.next_part, g.object_key,
      g.s3_upload_id, it.hash, it.hash_tag, it.start, (
        select jsonb_agg(jsonb_build_object('at', p.at, 'size', p.size, 'objectKey', p.object_key) order by p.at)
        from hapax.upload_piece p where p.operation_id = of_operation and p.object_key is not null
          and p.at > coalesce((select max(q.at) from hapax.upload_piece q where q.operation_id = of_operation and q.part is not null), -1))
    from (select) one left join hapax.upload_segment g on g.operation_id = of_operation and g.segment = it.segment;
end $$;

-- Acknowledges bytes of the writer that holds the session, and lets the upload live on.
create function hapax.keep_piece(
  of_operation text, by_epoch integer, piece jsonb, new_hash bytea, new_tag text, new_start bytea, rests boolean,
  lifetime_ms double precision)
returns boolean language plpgsql
as $$
declare
  it hapax.upload_session;
  ends bigint := (piece ->> 'at')::bigint + (piece ->> 'size')::bigint;
begin
  select * into it from hapax.upload_session s where s.operation_id = of_operation for no key update;
  if it.epoch is distinct from by_epoch or not it.writing then
    return false;
  elsif (piece ->> 'at')::bigint > it.received or ends <= it.received then
    raise exception 'a piece to % leaves a gap behind %, or adds nothing', ends, it.received;
  end if;
  delete from hapax.upload_piece p where p.operation_id = of_operation and p.at >= (piece ->> 'at')::bigint;
  insert into hapax.upload_piece (operation_id, at, size, tenant, segment, part, etag, checksum, object_key)
  values (
    of_operation, (piece ->> 'at')::bigint, (piece ->> 'size')::bigint, it.tenant,
    case when piece ? 'part' then it.segment end, (piece ->> 'part')::integer, piece ->> 'etag', piece ->> 'checksum',
    piece ->> 'objectKey');
  update hapax.upload_session
  set received = ends, writing = not rests, hash = new_hash, hash_tag = new_tag, start = new_start, touched_at = now(),
      next_part = case when piece ? 'part' then (piece ->> 'part')::integer + 1 else next_part end
  where operation_id = of_operation;
  perform hapax.extend_wait(of_operation, lifetime_ms);
  return true;
end $$;

-- Acknowledges all bytes of an upload whose caller has sent them to the object store in parts.
create function hapax.keep_parts(of_operation text, of_segment integer, parts jsonb)
returns boolean language sql
as $$
  select k.outcome = 'kept' from hapax.upload_segment g
    cross join lateral hapax.keep_caller_parts(of_operation, g.s3_upload_id, parts, null) k
  where g.operation_id = of_operation and g.segment = of_segment
$$;

-- An upload becomes a name for a content, at a place that it may share, take over, or find taken.
create function hapax.place_asset(
  of_operation text, new_asset text, new_content text, share text, at_destination text, called text, of_type text,
  of_sha256 text, of_size bigint, at_key text, when_same text)
returns jsonb language plpgsql
as $$
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

-- Lets an open upload live on from now, unless it has ended or is to be cancelled.
create function hapax.extend_wait(of_operation text, lifetime_ms double precision)
returns void language sql
as $$
  update hapax.operation set deadline = now() + lifetime_ms * interval '1 millisecond'
  where id = of_operation and state in ('claimed', 'waiting') and cancel_requested_at is null
    and deadline between now() and now() + lifetime_ms * interval '1 millisecond' - interval '1 minute'
$$;

-- Lets the parts of a caller go to another multipart upload, as long as none is acknowledged.
create function hapax.exchange_caller_parts(of_operation text, former text, next text, checked_by text)
returns boolean language plpgsql
as $$
begin
  perform from hapax.upload_session s where s.operation_id = of_operation and s.received = 0 for no key update;
  if not found then
    return false;
  end if;
  update hapax.upload_segment set s3_upload_id = next, checksum = checked_by
  where operation_id = of_operation and segment = 0 and s3_upload_id = former;
  if not found then
    return false;
  end if;
  delete from hapax.upload_signed_part where operation_id = of_operation;
  return true;
end $$;

-- Acknowledges all bytes of an upload whose caller has sent them to the object store in parts.
create function hapax.keep_caller_parts(
  of_operation text, of_upload text, parts jsonb, INOUT whole text, OUT outcome text)
returns record language plpgsql
as $$
declare
  it hapax.upload_session;
begin
  select * into it from hapax.upload_session s where s.operation_id = of_operation for no key update;
  if it.received > 0 then
    whole := it.crc64nvme;
    outcome := case when exists (
      select from hapax.upload_piece p where p.operation_id = of_operation and p.segment = 0) then 'kept' else 'other' end;
    return;
  elsif not exists (
    select from hapax.upload_segment g
    where g.operation_id = of_operation and g.segment = 0 and g.s3_upload_id = of_upload) then
    outcome := 'exchanged';
    return;
  end if;
  insert into hapax.upload_piece (operation_id, at, size, tenant, segment, part, etag, checksum)
  select of_operation, p.at, p.size, it.tenant, 0, p.part, p.etag, p.checksum
  from jsonb_to_recordset(parts) p (at bigint, size bigint, part integer, etag text, checksum text);
  update hapax.upload_session
  set received = (select sum(p.size) from hapax.upload_piece p where p.operation_id = of_operation),
      size = coalesce(size, (select sum(p.size) from hapax.upload_piece p where p.operation_id = of_operation)),
      epoch = epoch + 1, touched_at = now(), crc64nvme = whole
  where operation_id = of_operation;
  outcome := 'kept';
end $$;
