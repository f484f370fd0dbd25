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
  erased_at           timestamptz, -- since when nothing is left of its request, its steps
    and its answer; its fingerprint went with them (version 0)
  version             bigint      not null default 1,
    -- how often what callers see of the row has changed; hapax.operation_version has the whole
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
create index operation_to_erase on hapax.operation (tenant, environment, subject, id) where (erased_at is null);
create index operation_erased on hapax.operation (tenant, environment, subject) where (erased_at is not null);
create index operation_open_of_subject on hapax.operation (tenant, environment, subject, created_at desc, id desc)
    where (settled_at is null);
create trigger account_is_erased_with_its_signup after update of fingerprint_version on hapax.operation for each row
    when (new.flow = 'signup' and new.fingerprint_version = 0 and old.fingerprint_version <> 0)
    execute function hapax.erase_account_with_signup();
create trigger beacons_are_erased_with_their_operation after update of fingerprint_version on hapax.operation
    for each row when (new.fingerprint_version = 0 and old.fingerprint_version <> 0)
    execute function hapax.erase_beacons();
create trigger copies_end_with_their_answer after update of answer_status, answer_headers, answer_body, answer_expires_at on hapax.operation for each row when (old.answer_body is not null and old.answer_expires_at > now() and (new.answer_body is distinct from old.answer_body or new.answer_headers is distinct from old.answer_headers or new.answer_status is distinct from old.answer_status or new.answer_expires_at < old.answer_expires_at)) execute function hapax.end_answer_copies();
create trigger copies_end_with_their_row after delete on hapax.operation for each row when (old.answer_body is not null
    and old.answer_expires_at > now()) execute function hapax.end_answer_copies();
create trigger mails_go_with_their_signup after delete on hapax.operation for each row when (old.flow = 'signup')
    execute function hapax.empty_mails_of_signup();
create trigger operation_begins_open before insert on hapax.operation for each row
    when (new.state not in ('claimed', 'waiting')) execute function hapax.check_move();
create trigger operation_counts_changes before update of state, cancel_requested_at, deadline, refusal, renewable, answer_body on hapax.operation for each row when (old.state is distinct from new.state or old.cancel_requested_at is distinct from new.cancel_requested_at or old.deadline is distinct from new.deadline or old.renewable is distinct from new.renewable or (old.answer_body is null) is distinct from (new.answer_body is null) or (old.refusal is null) is distinct from (new.refusal is null)) execute function hapax.count_change();
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
  operation_id   text        not null,
  tenant         text        not null,
  name           text        not null,
  position       integer     not null,
  state          text        not null,
  attempt        integer     not null default 1, -- token of the try that may write the outcome
  epoch          integer     not null default 1, -- part of the downstream key; grows only when no effect is proven
  undo_epoch     integer     not null default 1, -- likewise, of the undo's key
  no_return      boolean     not null default false,
    -- once it is sent, neither a cancel nor the end of patience stops the story
  request        jsonb, -- exactly what was sent, and will be sent again
  result         jsonb,
  refusal        jsonb,
  sent_at        timestamptz not null default now(),
  ended_at       timestamptz,
  irreversible   boolean     not null default false, -- once it is sent, nothing is undone any more
  waits          boolean     not null default false, -- the flow's patience stands still from sent_at to ended_at
  last_sent_at   timestamptz, -- the newest send; null where sent_at is the only one
  sent_before_at timestamptz, -- the send before the newest, which counts again where the newest was not sent after all
  not_before     timestamptz, -- until then the outside has asked to be left alone
  undo_attempt   integer     not null default 0, -- how often its undo was sent
  version        bigint      not null default 1, -- how often what callers see of the row has changed
  constraint step_pkey primary key (operation_id, name),
  constraint step_operation_id_fkey foreign key (operation_id) references hapax.operation(id) on delete cascade,
  constraint step_irreversible_is_of_no_return check (no_return or not irreversible),
  constraint step_state_check check (state in ('planned', 'sent', 'done', 'failed', 'unknown', 'undoing', 'undone',
    'undo_failed'))
);
create trigger step_counts_changes before update of state, attempt, sent_at, ended_at, refusal, result on hapax.step
    for each row when (old.state is distinct from new.state or old.attempt is distinct from new.attempt
    or old.sent_at is distinct from new.sent_at or old.ended_at is distinct from new.ended_at
    or old.refusal is distinct from new.refusal or (old.result is null) is distinct from (new.result is null))
    execute function hapax.count_change();
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
grant select, insert, delete on hapax.arrival to hapax_app;
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
  written        bigint      not null generated always as identity,
    -- the order of writing, for people: a row that commits late may have a low number
  writer         xid8        not null default pg_current_xact_id(), -- the transaction that wrote it, for people
  tenant         text        not null,
  operation_id   text        not null,
  aggregate      text, -- stays for one release: workers of the build before 0039 name the aggregate here
  sequence       bigint      not null, -- in the order of its channel and aggregate, without a gap
  type           text        not null,
  payload        jsonb       not null,
  occurred_at    timestamptz not null default now(),
  id             text        not null, -- made of the operation and of what it says: the same after a restore
  environment    text        not null,
  channel        text        not null,
  aggregate_type text        not null,
  aggregate_id   text        not null,
  cause          text, -- the request, or the delivery of an event, that began the operation
  constraint outbox_pkey primary key (id),
  constraint outbox_has_one_of_each unique (tenant, environment, channel, aggregate_type, aggregate_id, sequence),
  constraint outbox_channel_check check (channel in ('event', 'mail', 'sms')),
  constraint outbox_environment_check check (environment in ('live', 'test')),
  constraint outbox_id_check check (id ~ '^msg_[0-9a-z]{26}$')
);
create index outbox_of_operation on hapax.outbox (operation_id);
create trigger outbox_goes_to_endpoints after insert on hapax.outbox for each row when (new.channel = 'event')
    execute function hapax.plan_webhooks();
create trigger outbox_is_delivered after insert on hapax.outbox for each row when (new.channel = 'mail'
    and (new.payload ->> 'email') is not null or new.channel = 'sms' and (new.payload ->> 'phone') is not null)
    execute function hapax.plan_delivery();
create trigger outbox_is_published after insert on hapax.outbox for each row when (new.channel = 'event')
    execute function hapax.plan_publication();
create trigger outbox_of_former_build before insert on hapax.outbox for each row when (new.id is null)
    execute function hapax.hear_former_outbox();
alter table hapax.outbox enable row level security, force row level security;
create policy acting_roles on hapax.outbox as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.outbox to hapax_upkeep using (true);
create policy tenant_only on hapax.outbox to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update (payload) on hapax.outbox to hapax_app;
grant select, update (payload) on hapax.outbox to hapax_upkeep;

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
  id               text        not null,
  tenant           text        not null,
  environment      text        not null,
  operation_id     text        not null,
  cart_id          text        not null,
  state            text        not null,
  amount_minor     bigint      not null, -- what the buyer pays, after the discount; 0: nothing, and no payment
  currency         text        not null,
  payment_intent   text,
  email            text, -- sealed; it opens with the place of its checkout's field `email`
  created_at       timestamptz not null default now(),
  paid_at          timestamptz,
  given_back_minor bigint      not null default 0, -- what its refunds hold
    or have given back; the trigger on order_refund counts it
  cancelled_by     text, -- the operation that cancels it
  cancelled_at     timestamptz,
  promo            text,
  discount_minor   bigint      not null default 0,
  promo_buyer      text,
    -- who uses a code that each buyer may use once: a keyed digest of the e-mail address in lower case
  subject          text, -- who asked for the checkout; null where the former build has made it,
    or that was forgotten before 0043
  constraint customer_order_pkey primary key (id),
  constraint order_of_one_operation unique (operation_id),
  constraint customer_order_amount_minor_check check (amount_minor >= 0),
  constraint customer_order_discount_minor_check check (discount_minor >= 0),
  constraint customer_order_state_check check (state in ('pending', 'paid', 'released', 'cancelling', 'cancelled')),
  constraint never_given_back_more_than_paid check (given_back_minor >= 0 and given_back_minor <= amount_minor),
  constraint order_is_cancelled_by_an_operation check ((state not in ('cancelling', 'cancelled'))
    or cancelled_by is not null),
  constraint order_is_paid_by_a_payment check (state <> 'paid' or paid_at is not null
    and (payment_intent is not null) = (amount_minor > 0)),
  constraint promo_buyer_is_of_a_promo check (promo_buyer is null or promo is not null)
);
create unique index cart_has_one_live_order on hapax.customer_order (tenant, environment, cart_id)
    where (state in ('pending', 'paid', 'cancelling'));
create index order_cancelled_by on hapax.customer_order (cancelled_by) where (cancelled_by is not null);
create index order_of_promo on hapax.customer_order (tenant, environment, promo) where ((state = 'pending')
    and (promo is not null));
create unique index promo_is_used_once_by_each_buyer on hapax.customer_order (tenant, environment, promo, promo_buyer)
    where ((promo_buyer is not null) and (state <> 'released'));
create index order_cancelled_at on hapax.customer_order (cancelled_at) where (cancelled_at is not null);
create index order_of_subject on hapax.customer_order (tenant, environment, subject);
create trigger order_counts_its_promo after insert or update of state on hapax.customer_order for each row
    when (new.promo is not null) execute function hapax.count_promo();
alter table hapax.customer_order enable row level security, force row level security;
create policy acting_roles on hapax.customer_order as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.customer_order to hapax_upkeep using (true);
create policy tenant_only on hapax.customer_order to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update on hapax.customer_order to hapax_app;
grant select, update (given_back_minor) on hapax.customer_order to hapax_upkeep;

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
  constraint content_state_check check (state in ('live', 'lost', 'deleting'))
);
create unique index content_lives_once_in_its_scope on hapax.content (tenant, dedup_scope, sha256)
    where (state = 'live');
create index content_collected on hapax.content (collected_by) where (state = 'deleting');
create index content_by_object on hapax.content (object_key COLLATE "C");
create index content_lost on hapax.content (id) where (state = 'lost');
alter table hapax.content enable row level security, force row level security;
create policy acting_roles on hapax.content as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.content to hapax_upkeep using (true);
create policy tenant_only on hapax.content to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update, delete on hapax.content to hapax_app;
grant select, update (state, collected_by), delete on hapax.content to hapax_upkeep;

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
  evidence     jsonb, -- declared and shown type, what shows it,
    and how they go together; null: placed before this was kept
  readers      text        not null default 'tenant', -- who may see it, as it was announced: everybody of its tenant,
    or its subject alone
  deleted_at   timestamptz,
  gone_after   timestamptz, -- until then it can be restored
  purge_at     timestamptz, -- when upkeep next tries to give it up
  constraint asset_pkey primary key (id),
  constraint asset_of_one_operation unique (operation_id),
  constraint asset_content_id_fkey foreign key (content_id) references hapax.content(id),
  constraint asset_environment_check check (environment in ('live', 'test')),
  constraint asset_is_deleted_for_a_while check ((deleted_at is null) = (gone_after is null)
    and (deleted_at is null) = (purge_at is null)),
  constraint asset_readers_check check (readers in ('tenant', 'subject')),
  constraint asset_that_is_deleted_holds_no_place check (deleted_at is null or not holds_place)
);
create index asset_of_content on hapax.asset (content_id);
create unique index asset_holds_its_place on hapax.asset (tenant, environment, subject, destination, name)
    where (holds_place and (replaced_by is null));
create index asset_at_its_place on hapax.asset (tenant, environment, subject, destination, name)
    where (replaced_by is null);
create index asset_to_purge on hapax.asset (purge_at) where (purge_at is not null);
alter table hapax.asset enable row level security, force row level security;
create policy acting_roles on hapax.asset as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.asset to hapax_upkeep using (true);
create policy tenant_only on hapax.asset to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update, delete on hapax.asset to hapax_app;
grant select, update (content_id, purge_at) on hapax.asset to hapax_upkeep;

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
create policy upkeep_tells_too on hapax.news_channel for select to hapax_upkeep using (true);
grant select on hapax.news_channel to hapax_app;
grant select on hapax.news_channel to hapax_upkeep;

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
create trigger trouble_counts_as_change after insert or update on hapax.trouble for each row
    execute function hapax.count_trouble();
alter table hapax.trouble enable row level security, force row level security;
create policy acting_roles on hapax.trouble as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.trouble to hapax_upkeep using (true);
create policy tenant_only on hapax.trouble to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update, delete on hapax.trouble to hapax_app;
grant select, delete on hapax.trouble to hapax_upkeep;

-- Why open operations make no progress.
create view hapax.step_trouble_now with (security_invoker=true) as
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
grant select on hapax.step_trouble_now to hapax_app;
grant select on hapax.step_trouble_now to hapax_upkeep;

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
grant select, insert, update (evidence, sameness) on hapax.awaited to hapax_app;
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
grant select, insert, delete on hapax.stray to hapax_app;
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

create table hapax.derivative (
  content_id text        not null,
  tenant     text        not null,
  name       text        not null,
  state      text        not null,
  files      jsonb       not null,
  code       text,
  detail     text,
  made_at    timestamptz not null default now(),
  constraint derivative_pkey primary key (content_id, name),
  constraint derivative_content_id_fkey foreign key (content_id) references hapax.content(id) on delete cascade,
  constraint derivative_state_check check (state in ('done', 'failed')),
  constraint derivative_that_failed_says_why check ((state = 'failed') = (code is not null and detail is not null))
);
create index derivative_by_content on hapax.derivative (content_id COLLATE "C");
alter table hapax.derivative enable row level security, force row level security;
create policy acting_roles on hapax.derivative as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.derivative to hapax_upkeep using (true);
create policy tenant_only on hapax.derivative to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update on hapax.derivative to hapax_app;
grant select, update (state, files, code, detail, made_at) on hapax.derivative to hapax_upkeep;

-- This ledger, as its bucket remembers it. Where they differ, rows may be missing,
    and nothing is removed for want of a row.
create table hapax.ledger (
  one     boolean     not null default true,
  id      text        not null default gen_random_uuid()::text,
  born_at timestamptz not null default now(), -- what was written before is not explained by it
  beats   bigint      not null default 0,
    -- grows every few minutes, here first: a bucket that remembers more has seen a ledger that was restored since
  server  text        default hapax.server_identity(), -- the server and its timeline, when it was last accepted
  constraint ledger_pkey primary key (one),
  constraint ledger_one_check check (one)
);
alter table hapax.ledger enable row level security, force row level security;
create policy acting_roles on hapax.ledger as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.ledger to hapax_upkeep using (true);
grant select, insert, update, delete on hapax.ledger to hapax_upkeep;

-- One comparison of the bucket with the rows. Any process can continue it from its last page.
create table hapax.sweep_pass (
  id                bigint      not null generated always as identity,
  began_at          timestamptz not null default now(),
  began_by          text        not null,
  ended_at          timestamptz,
  superseded        boolean     not null default false,
  holder            uuid        not null,
  leased_until      timestamptz not null,
  stage             text        not null,
  after             text        not null default '', -- the last key of its stage that was looked at
  looked_at         bigint      not null default 0,
  removed           bigint      not null default 0,
  bytes             bigint      not null default 0,
  lost              bigint      not null default 0, -- rows whose objects are missing
  not_ours          bigint      not null default 0, -- things under our prefixes that no build of ours writes,
    or that are older than this ledger
  failed            bigint      not null default 0,
  held_back         text, -- why nothing was removed
  stored_bytes      bigint      not null default 0,
  derived_bytes     bigint      not null default 0,
  unexplained_bytes bigint      not null default 0,
  file_bytes        bigint      not null default 0,
  content_bytes     bigint      not null default 0,
  constraint sweep_pass_pkey primary key (id),
  constraint sweep_pass_began_by_check check (began_by in ('schedule', 'command'))
);
create unique index sweep_pass_is_one_at_a_time on hapax.sweep_pass ((true)) where (ended_at is null);
create index sweep_pass_newest on hapax.sweep_pass (began_at);
alter table hapax.sweep_pass enable row level security, force row level security;
create policy acting_roles on hapax.sweep_pass as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.sweep_pass to hapax_upkeep using (true);
grant select, insert, update, delete on hapax.sweep_pass to hapax_upkeep;

-- What sweeps have removed, by day (UTC) and by what it was.
create table hapax.reclaimed (
  day     date   not null,
  what    text   not null,
  objects bigint not null,
  bytes   bigint not null,
  constraint reclaimed_pkey primary key (day, what)
);
alter table hapax.reclaimed enable row level security, force row level security;
create policy acting_roles on hapax.reclaimed as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.reclaimed to hapax_upkeep using (true);
grant select, insert, update, delete on hapax.reclaimed to hapax_upkeep;

-- What could not be removed, until it is.
create table hapax.sweep_trouble (
  what    text        not null,
  thing   text        not null,
  detail  text        not null,
  tries   integer     not null default 1,
  since   timestamptz not null default now(),
  last_at timestamptz not null default now(),
  constraint sweep_trouble_pkey primary key (what, thing)
);
alter table hapax.sweep_trouble enable row level security, force row level security;
create policy acting_roles on hapax.sweep_trouble as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.sweep_trouble to hapax_upkeep using (true);
grant select, insert, update, delete on hapax.sweep_trouble to hapax_upkeep;

create table hapax.inbox_event (
  id           text        not null,
  tenant       text        not null,
  environment  text        not null,
  source       text        not null,
  event        text        not null, -- the sender's own id, the same on each delivery
  type         text        not null,
  object       text, -- what the event is about, by the sender's id
  body         bytea       not null, -- as it was signed, without the secrets of buyers
  sent_at      timestamptz,
  request_id   text        not null, -- of the first delivery
  received_at  timestamptz not null default now(),
  forget_after timestamptz not null, -- later than the last time at which the sender repeats it
  constraint inbox_event_pkey primary key (id),
  constraint inbox_event_environment_check check (environment in ('live', 'test'))
);
create index inbox_event_outlived on hapax.inbox_event (forget_after);
alter table hapax.inbox_event enable row level security, force row level security;
create policy acting_roles on hapax.inbox_event as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.inbox_event to hapax_upkeep using (true);
create policy tenant_only on hapax.inbox_event to hapax_app using (tenant = hapax.current_tenant());
grant select, insert on hapax.inbox_event to hapax_app;
grant select, delete on hapax.inbox_event to hapax_upkeep;

create table hapax.inbox_handling (
  id           text        not null,
  event_id     text        not null,
  tenant       text        not null,
  handler      text        not null,
  state        text        not null default 'due',
    -- parked: nobody knows its object yet; dead: no longer tried, until a person replays it
  fence        bigint      not null default 0, -- grows with each take; who took it before can no longer write
  tries        integer     not null default 0,
  due_since    timestamptz not null default now(), -- since when it is tried; before its first try, since
    when it is there
  next_at      timestamptz not null default now(),
  operation_id text, -- what the handler began or joined
  code         text,
  detail       text,
  changed_at   timestamptz not null default now(),
  constraint inbox_handling_pkey primary key (id),
  constraint handler_has_an_event_once unique (event_id, handler),
  constraint inbox_handling_event_id_fkey foreign key (event_id) references hapax.inbox_event(id) on delete cascade,
  constraint handling_says_why check ((state not in ('parked', 'dead')) or code is not null and detail is not null),
  constraint inbox_handling_state_check check (state in ('due', 'parked', 'done', 'dead'))
);
create index inbox_handling_due on hapax.inbox_handling (next_at) where (state in ('due', 'parked'));
create index inbox_handling_listed on hapax.inbox_handling (tenant, changed_at desc, id desc)
    where (state in ('parked', 'dead'));
alter table hapax.inbox_handling enable row level security, force row level security;
create policy acting_roles on hapax.inbox_handling as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.inbox_handling to hapax_upkeep using (true);
create policy tenant_only on hapax.inbox_handling to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update on hapax.inbox_handling to hapax_app;
grant select, update, delete on hapax.inbox_handling to hapax_upkeep;

create table hapax.shipment (
  id           text        not null,
  tenant       text        not null,
  order_id     text        not null,
  operation_id text        not null,
  requested_at timestamptz not null default now(),
  withdrawn_at timestamptz,
  constraint shipment_pkey primary key (id),
  constraint order_is_shipped_once unique (order_id),
  constraint shipment_order_id_fkey foreign key (order_id) references hapax.customer_order(id)
);
alter table hapax.shipment enable row level security, force row level security;
create policy acting_roles on hapax.shipment as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.shipment to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update (withdrawn_at) on hapax.shipment to hapax_app;

create table hapax.store_credit (
  id           text        not null,
  tenant       text        not null,
  order_id     text        not null,
  operation_id text        not null,
  email        text, -- sealed, as in the order
  amount_minor bigint      not null,
  currency     text        not null,
  credited_at  timestamptz not null default now(),
  withdrawn_at timestamptz,
  constraint store_credit_pkey primary key (id),
  constraint order_is_credited_once unique (order_id),
  constraint store_credit_order_id_fkey foreign key (order_id) references hapax.customer_order(id),
  constraint store_credit_amount_minor_check check (amount_minor > 0)
);
alter table hapax.store_credit enable row level security, force row level security;
create policy acting_roles on hapax.store_credit as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.store_credit to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update (email, withdrawn_at) on hapax.store_credit to hapax_app;

create table hapax.money_fact (
  provider     text        not null,
  object       text        not null,
    -- what moved the money, by the provider's id: a payment, a refund, a dispute, a payout
  kind         text        not null,
  tenant       text        not null,
  environment  text        not null,
  amount_minor bigint      not null,
  currency     text        not null,
  debit        text        not null default 
case kind
    when 'captured' then 'receivable'
    when 'fee' then 'fee'
    when 'fee_returned' then 'receivable'
    when 'refunded' then 'refund'
    when 'refund_failed' then 'receivable'
    when 'disputed' then 'dispute'
    when 'dispute_won' then 'receivable'
    when 'paid_out' then 'payout'
    else null::text
end,
  credit       text        not null default 
case kind
    when 'captured' then 'revenue'
    when 'fee_returned' then 'fee'
    when 'refund_failed' then 'refund'
    when 'dispute_won' then 'dispute'
    else 'receivable'
end,
  payment      text, -- by the provider's id; null where the money is of no payment
  order_id     text, -- the fact outlives the order
  operation_id text, -- the operation that moved it; null where nobody here did
  happened_at  timestamptz not null, -- by the provider's clock, or ours where the provider has not said yet
  recorded_at  timestamptz not null default now(),
  confirmed_at timestamptz, -- when the provider's own ledger has shown it
  constraint fact_is_booked_once primary key (provider, object, kind),
  constraint money_fact_amount_minor_check check (amount_minor > 0),
  constraint money_fact_currency_check check (currency ~ '^[a-z]{3}$'),
  constraint money_fact_environment_check check (environment in ('live', 'test')),
  constraint money_fact_kind_check check (kind in ('captured', 'fee', 'fee_returned', 'refunded', 'refund_failed',
    'disputed', 'dispute_won', 'paid_out'))
);
create index money_fact_of_order on hapax.money_fact (order_id);
create index money_fact_recorded on hapax.money_fact (recorded_at);
create index money_fact_unconfirmed on hapax.money_fact (recorded_at) where (confirmed_at is null);
alter table hapax.money_fact enable row level security, force row level security;
create policy acting_roles on hapax.money_fact as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.money_fact to hapax_upkeep using (true);
create policy tenant_only on hapax.money_fact to hapax_app using (tenant = hapax.current_tenant());
grant select, insert on hapax.money_fact to hapax_app;
grant select, insert, update (confirmed_at) on hapax.money_fact to hapax_upkeep;

create view hapax.money_balance with (security_invoker=true) as
 select f.tenant,
    f.environment,
    f.currency,
    side.account,
    sum(side.amount)::bigint as balance_minor
   from hapax.money_fact f,
    LATERAL ( VALUES (f.debit,f.amount_minor), (f.credit,- f.amount_minor)) side(account, amount)
  GROUP BY f.tenant, f.environment, f.currency, side.account;
grant select on hapax.money_balance to hapax_app;
grant select on hapax.money_balance to hapax_upkeep;

create table hapax.order_refund (
  id           text        not null,
  tenant       text        not null,
  environment  text        not null,
  order_id     text        not null,
  operation_id text, -- null where it was made at the provider, by somebody else
  amount_minor bigint      not null,
  currency     text        not null,
  reason       text,
  state        text        not null, -- failed: made, and sent back by the buyer's bank; withdrawn: never made
  object       text, -- the refund by the provider's id
  asked_at     timestamptz not null default now(),
  ended_at     timestamptz,
  constraint order_refund_pkey primary key (id),
  constraint refund_is_known_once unique (object),
  constraint refund_of_one_operation unique (operation_id),
  constraint order_refund_order_id_fkey foreign key (order_id) references hapax.customer_order(id),
  constraint order_refund_amount_minor_check check (amount_minor > 0),
  constraint order_refund_environment_check check (environment in ('live', 'test')),
  constraint order_refund_state_check check (state in ('asked', 'made', 'failed', 'withdrawn')),
  constraint refund_is_made_at_the_provider check ((state not in ('made', 'failed')) or object is not null)
);
create index order_refund_of_order on hapax.order_refund (order_id);
create trigger order_counts_its_refunds after insert or update of state, amount_minor on hapax.order_refund for each row
    execute function hapax.count_refund();
alter table hapax.order_refund enable row level security, force row level security;
create policy acting_roles on hapax.order_refund as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.order_refund to hapax_upkeep using (true);
create policy tenant_only on hapax.order_refund to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update (state, object, ended_at) on hapax.order_refund to hapax_app;
grant select, insert, update on hapax.order_refund to hapax_upkeep;

create table hapax.money_difference (
  id           text        not null,
  tenant       text        not null,
  environment  text        not null,
  kind         text        not null,
  provider     text        not null,
  object       text        not null,
  fact         text        not null, -- the kind of fact that differs; empty where it is of none
  payment      text,
  order_id     text,
  operation_id text,
  ours_minor   bigint, -- null where we have booked nothing
  theirs_minor bigint, -- null where the provider shows nothing
  currency     text        not null,
  says         text        not null,
  since        timestamptz not null default now(),
  looked_at    timestamptz not null default now(),
  ended_at     timestamptz,
  ended_by     text, -- who has dealt with it; null: it was over by itself
  reason       text,
  constraint money_difference_pkey primary key (id),
  constraint difference_is_listed_once unique (provider, object, kind, fact),
  constraint difference_ends_with_a_reason check ((ended_at is null) = (reason is null)),
  constraint money_difference_environment_check check (environment in ('live', 'test')),
  constraint money_difference_kind_check check (kind in ('refund-failed', 'amount-differs', 'missing-at-provider',
    'money-held', 'unknown-payment'))
);
create index money_difference_of_operation on hapax.money_difference (operation_id) where (ended_at is null);
create index money_difference_open on hapax.money_difference (provider, kind) where (ended_at is null);
create index money_difference_of_order on hapax.money_difference (order_id);
create index money_difference_listed on hapax.money_difference (tenant, environment, since desc, id desc);
alter table hapax.money_difference enable row level security, force row level security;
create policy acting_roles on hapax.money_difference as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.money_difference to hapax_upkeep using (true);
create policy tenant_only on hapax.money_difference to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update (ours_minor, theirs_minor, says, looked_at, ended_at, ended_by, reason) on hapax.money_difference to hapax_app;
grant select, insert, update on hapax.money_difference to hapax_upkeep;

create table hapax.money_pass (
  id            bigint      not null generated always as identity,
  provider      text        not null,
  read_from     timestamptz not null, -- movements since then were compared, by the provider's clock
  covered_until timestamptz, -- until then no movement was left out, by this pass and those before it
  started_at    timestamptz not null default now(),
  ended_at      timestamptz,
  movements     bigint      not null default 0,
  booked        bigint      not null default 0, -- facts that the provider had and we had not
  unassigned    bigint      not null default 0, -- movements that are of nothing here
  constraint money_pass_pkey primary key (id)
);
create index money_pass_newest on hapax.money_pass (provider, started_at desc);
alter table hapax.money_pass enable row level security, force row level security;
create policy acting_roles on hapax.money_pass as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.money_pass to hapax_upkeep using (true);
grant select, insert, update, delete on hapax.money_pass to hapax_upkeep;

create table hapax.promo_code (
  tenant        text        not null,
  environment   text        not null,
  code          text        not null,
  percent       integer,
  off_minor     bigint,
  currency      text,
  most_uses     integer     not null,
  used          integer     not null default 0,
    -- by orders that were not released; the trigger on customer_order counts it
  expires_at    timestamptz,
  once_by_buyer boolean     not null default false, -- each buyer, known by the e-mail address, may use it once
  constraint promo_code_pkey primary key (tenant, environment, code),
  constraint promo_amount_has_a_currency check ((off_minor is null) = (currency is null)),
  constraint promo_code_currency_check check (currency ~ '^[a-z]{3}$'),
  constraint promo_code_environment_check check (environment in ('live', 'test')),
  constraint promo_code_most_uses_check check (most_uses > 0),
  constraint promo_code_off_minor_check check (off_minor > 0),
  constraint promo_code_percent_check check (percent >= 1 and percent <= 100),
  constraint promo_is_not_used_too_often check (used >= 0 and used <= most_uses),
  constraint promo_takes_a_share_or_an_amount check (num_nonnulls(percent, off_minor) = 1)
);
alter table hapax.promo_code enable row level security, force row level security;
create policy acting_roles on hapax.promo_code as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep')) with check (true);
create policy owner_adds on hapax.promo_code for insert to the_owner with check (true);
create policy tenant_only on hapax.promo_code to hapax_app using (tenant = hapax.current_tenant());
grant select, update (used) on hapax.promo_code to hapax_app;

create table hapax.item_price (
  tenant      text   not null,
  environment text   not null,
  sku         text   not null,
  currency    text   not null,
  price_minor bigint not null,
  constraint item_price_pkey primary key (tenant, environment, sku, currency),
  constraint item_price_tenant_environment_sku_fkey foreign key (tenant, environment, sku) references hapax.catalogue_item(tenant, environment, sku) on delete cascade,
  constraint item_price_currency_check check (currency ~ '^[a-z]{3}$'),
  constraint item_price_price_minor_check check (price_minor > 0)
);
alter table hapax.item_price enable row level security, force row level security;
create policy acting_roles on hapax.item_price as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep')) with check (true);
create policy owner_adds on hapax.item_price for insert to the_owner with check (true);
create policy tenant_only on hapax.item_price to hapax_app using (tenant = hapax.current_tenant());
grant select on hapax.item_price to hapax_app;

-- Which operations need attention: they make no progress, or their money does not add up.
create view hapax.trouble_now with (security_invoker=true) as
 select step_trouble_now.operation_id,
    step_trouble_now.tenant,
    step_trouble_now.flow,
    step_trouble_now.step,
    step_trouble_now.undoing,
    step_trouble_now.says,
    step_trouble_now.since,
    step_trouble_now.tries,
    step_trouble_now.next_try_at,
    step_trouble_now.needs_person
   from hapax.step_trouble_now
UNION ALL
 select d.operation_id,
    d.tenant,
    o.flow,
    'money' as step,
    false as undoing,
    min(d.says) as says,
    min(d.since) as since,
    1 as tries,
    max(d.looked_at) + '01:00:00'::interval as next_try_at,
    true as needs_person
   from hapax.money_difference d
     join hapax.operation o on o.id = d.operation_id
  where d.ended_at is null and (o.settled_at is not null or not (exists ( select
           from hapax.step_trouble_now t
          where t.operation_id = d.operation_id)))
  GROUP BY d.operation_id, d.tenant, o.flow;
grant select on hapax.trouble_now to hapax_app;
grant select on hapax.trouble_now to hapax_upkeep;

-- An id of hapax/dedup: held while it is being done, then answered for its window
create table hapax.once_entry (
  tenant text        not null,
  space  text        not null, -- keeps the ids of one use apart from those of another
  id     text        not null,
  fence  bigint      not null default nextval('hapax.once_fence'::regclass),
    -- grows with each holder, over all ids; a former holder changes nothing
  answer text, -- null while a holder is at work
  until  timestamptz not null, -- the end of the holder's lease, or of the answer's window
  constraint id_is_held_once primary key (tenant, space, id),
  constraint once_entry_id_check check (id <> ''),
  constraint once_entry_tenant_check check (tenant <> '')
);
create index once_entry_outlived on hapax.once_entry (until);
alter table hapax.once_entry enable row level security, force row level security;
create policy acting_roles on hapax.once_entry as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.once_entry to hapax_upkeep using (true);
create policy tenant_only on hapax.once_entry to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update, delete on hapax.once_entry to hapax_app;
grant select, update, delete on hapax.once_entry to hapax_upkeep;

-- When content without a key first came; its duplicates get the same key within the window
create table hapax.content_anchor (
  tenant      text        not null,
  environment text        not null,
  subject     text        not null, -- empty where the flow shares its keys over the tenant
  flow        text        not null,
  digest      text        not null,
  anchored_at timestamptz not null,
  until       timestamptz not null,
  constraint content_has_one_anchor primary key (tenant, environment, subject, flow, digest),
  constraint content_anchor_environment_check check (environment in ('live', 'test')),
  constraint content_anchor_tenant_check check (tenant <> '')
);
create index content_anchor_outlived on hapax.content_anchor (until);
alter table hapax.content_anchor enable row level security, force row level security;
create policy acting_roles on hapax.content_anchor as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.content_anchor to hapax_upkeep using (true);
create policy tenant_only on hapax.content_anchor to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update on hapax.content_anchor to hapax_app;
grant select, update, delete on hapax.content_anchor to hapax_upkeep;

-- What copies of settled answers are bound to, in memory and in Redis: a secret and an epoch
create table hapax.answer_copies (
  single   boolean not null default true,
  secret   text    not null,
  epoch    bigint  not null default 1,
  ended_by xid8    not null default '0'::xid8, -- the transaction that raised the epoch last: one raises it once
  constraint answer_copies_pkey primary key (single),
  constraint answer_copies_single_check check (single)
);
alter table hapax.answer_copies enable row level security, force row level security;
create policy acting_roles on hapax.answer_copies as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy readers_of_the_ledger on hapax.answer_copies to hapax_app, hapax_upkeep using (true);
grant select, update (epoch, ended_by) on hapax.answer_copies to hapax_app;
grant select, update (epoch, ended_by) on hapax.answer_copies to hapax_upkeep;

-- What messages are about, on each channel. Its row is locked while a message gets its number, until the commit.
create table hapax.aggregate (
  tenant      text   not null,
  environment text   not null,
  channel     text   not null,
  type        text   not null,
  id          text   not null,
  told        bigint not null, -- the number of the newest message: none is missing before it
  constraint aggregate_pkey primary key (tenant, environment, channel, type, id),
  constraint aggregate_channel_check check (channel in ('event', 'mail', 'sms')),
  constraint aggregate_environment_check check (environment in ('live', 'test'))
);
alter table hapax.aggregate enable row level security, force row level security;
create policy acting_roles on hapax.aggregate as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.aggregate to hapax_upkeep using (true);
create policy tenant_only on hapax.aggregate to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update on hapax.aggregate to hapax_app;
grant select on hapax.aggregate to hapax_upkeep;

-- How far a message of the outbox has come that leaves by mail or as a text message.
create table hapax.delivery (
  message_id       text        not null,
  id               text        not null, -- the id of its dead letter, if it becomes one
  tenant           text        not null,
  channel          text        not null,
  state            text        not null default 'due', -- sending: being handed over,
    or its sender died meanwhile; failed: not tried again until a person replays it; erased: never sent
  fence            bigint      not null default 0, -- grows with each take
    and each record: a sender that had it before writes nothing any more, but that it has left
  tries            integer     not null default 0,
    -- how often it was taken; a try that our own protection held back does not count
  due_since        timestamptz not null default now(),
  next_at          timestamptz not null default now(), --
    when it may be taken; while a sender has it, the end of its lease
  code             text,
  detail           text,
  changed_at       timestamptz not null default now(),
  may_have_left_by text,
    -- the first system that may have taken it, without a clear answer; another one does not know its id
  may_have_left_at timestamptz, -- when that was: systems know an id for some time only
  endpoint_id      text, -- where a webhook goes: a message has a delivery for each endpoint that wants it
  constraint delivery_pkey primary key (id),
  constraint message_is_delivered_once unique NULLS not distinct (message_id, endpoint_id),
  constraint delivery_endpoint_id_fkey foreign key (endpoint_id) references hapax.webhook_endpoint(id) on delete cascade,
  constraint delivery_message_id_fkey foreign key (message_id) references hapax.outbox(id) on delete cascade,
  constraint delivery_channel_check check (channel in ('mail', 'sms', 'webhook')),
  constraint delivery_says_why_it_failed check (state <> 'failed' or code is not null and detail is not null),
  constraint delivery_state_check check (state in ('due', 'sending', 'sent', 'failed', 'erased')),
  constraint doubt_is_whole check ((may_have_left_by is null) = (may_have_left_at is null)),
  constraint webhook_has_an_endpoint check ((channel = 'webhook') = (endpoint_id is not null))
);
create index delivery_listed on hapax.delivery (tenant, changed_at desc, id desc) where (state = 'failed');
create index delivery_due_to_endpoint on hapax.delivery (endpoint_id, next_at) where ((endpoint_id is not null)
    and (state in ('due', 'sending')));
create index delivery_due on hapax.delivery (next_at) where ((endpoint_id is null) and (state in ('due', 'sending')));
create index delivery_of_endpoint on hapax.delivery (endpoint_id, id) where ((endpoint_id is not null)
    and (state <> 'sent'));
alter table hapax.delivery enable row level security, force row level security;
create policy acting_roles on hapax.delivery as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.delivery to hapax_upkeep using (true);
create policy tenant_only on hapax.delivery to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update, delete on hapax.delivery to hapax_app;
grant select, update on hapax.delivery to hapax_upkeep;

-- How far an event of the outbox has come, which a relay publishes.
create table hapax.publication (
  message_id     text        not null,
  id             text        default 'dl_' || substr(message_id, 5), -- the id of its dead letter, if it becomes one
  tenant         text        not null,
  environment    text        not null,
  aggregate_type text        not null,
  aggregate_id   text        not null,
  shard          smallint    default (hashtextextended((((((tenant || '/') || environment) || '/') || aggregate_type) ||
    '/') || aggregate_id, 0::bigint) & 15::bigint), -- the same for all events of an aggregate
  place          bigint      not null generated always as identity,
    -- drawn under the lock of the aggregate, so in the order of its events. No cursor: a row that commits late may have a low one
  state          text        not null default 'due', -- failed: the broker has refused it; it
    and the later events of its aggregate wait until a person replays it
  tried_at       timestamptz, -- when the broker may first have got it: it knows an id for some time only
  tries          integer     not null default 0, -- how often the broker has refused it
  position       bigint, -- its place in the log of its shard, in the order of publishing, without a gap
  published_at   timestamptz,
  code           text,
  detail         text,
  changed_at     timestamptz not null default now(),
  constraint message_is_published_once primary key (message_id),
  constraint publication_message_id_fkey foreign key (message_id) references hapax.outbox(id) on delete cascade,
  constraint publication_says_why_it_failed check (state <> 'failed' or code is not null and detail is not null),
  constraint publication_state_check check (state in ('due', 'published', 'failed')),
  constraint what_is_published_has_its_position check ((state = 'published') = ("position" is not null)
    and (state = 'published') = (published_at is not null))
);
create index publication_due on hapax.publication (shard, place) where (state = 'due');
create index publication_blocks on hapax.publication (tenant, environment, aggregate_type, aggregate_id)
    where (state = 'failed');
create index publication_listed on hapax.publication (tenant, changed_at desc, id desc) where (state = 'failed');
create unique index publication_has_its_own_position on hapax.publication (shard, "position")
    where ("position" is not null);
alter table hapax.publication enable row level security, force row level security;
create policy acting_roles on hapax.publication as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.publication to hapax_upkeep using (true);
create policy tenant_only on hapax.publication to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update on hapax.publication to hapax_app;
grant select, update on hapax.publication to hapax_upkeep;

-- Relays that are at work, so that each takes no more than its share of the shards.
create table hapax.relay (
  id    text        not null,
  until timestamptz not null,
  constraint relay_pkey primary key (id)
);
alter table hapax.relay enable row level security, force row level security;
create policy acting_roles on hapax.relay as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.relay to hapax_upkeep using (true);
grant select, insert, update, delete on hapax.relay to hapax_upkeep;

-- Which relay publishes the events of a shard.
create table hapax.relay_shard (
  shard    smallint    not null,
  holder   text,
  fence    bigint      not null default 0,
    -- grows with each take: a relay that had the shard before records nothing any more
  until    timestamptz not null default now(), -- the end of the lease, which its holder renews
  position bigint      not null default 0, -- of the newest event in the log of the shard
  constraint relay_shard_pkey primary key (shard),
  constraint relay_shard_shard_check check (shard >= 0 and shard <= 15)
);
alter table hapax.relay_shard enable row level security, force row level security;
create policy acting_roles on hapax.relay_shard as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.relay_shard to hapax_upkeep using (true);
grant select, update on hapax.relay_shard to hapax_upkeep;

-- Published events: for each shard (0 to 15) a log whose positions have no gap and become visible in their order.
create view hapax.event_log with (security_invoker=true) as
 select p.shard,
    p."position",
    p.published_at,
    o.id,
    o.tenant,
    o.environment,
    o.aggregate_type,
    o.aggregate_id,
    o.sequence,
    o.type,
    o.operation_id,
    o.cause,
    o.payload,
    o.occurred_at
   from hapax.publication p
     join hapax.outbox o on o.id = p.message_id
  where p.state = 'published';
grant select on hapax.event_log to hapax_app;
grant select on hapax.event_log to hapax_upkeep;

-- A subject whose data are to be erased: all that was claimed before `requested_at`.
create table hapax.erasure (
  operation_id text        not null, -- the operation that asks for it; it outlives that one's row
  tenant       text        not null,
  environment  text        not null,
  subject      text        not null,
  requested_at timestamptz not null default clock_timestamp(),
  finished_at  timestamptz, -- when the last operation was erased; null: some are still open
  due_at       timestamptz not null default now() + '00:01:00'::interval, --
    when upkeep looks again for operations that have settled meanwhile
  constraint erasure_pkey primary key (operation_id),
  constraint erasure_environment_check check (environment in ('live', 'test'))
);
create index erasure_unfinished on hapax.erasure (due_at) where (finished_at is null);
alter table hapax.erasure enable row level security, force row level security;
create policy acting_roles on hapax.erasure as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.erasure to hapax_upkeep using (true);
create policy tenant_only on hapax.erasure to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update (finished_at) on hapax.erasure to hapax_app;
grant select, update (due_at) on hapax.erasure to hapax_upkeep;

-- What a sign-up makes. Until its address is confirmed it is `unverified`, and goes away with its sign-up.
create table hapax.account (
  id           text        not null,
  tenant       text        not null,
  environment  text        not null,
  operation_id text        not null, -- the sign-up; the account outlives that one's row
  subject      text        not null, -- who asked for the sign-up
  state        text        not null default 'unverified',
  email        text, -- sealed; it opens with the place of its sign-up's field `email`, and name
    and password with theirs
  name         text,
  password     text, -- the argon2id hash, sealed
  created_at   timestamptz not null default now(),
  verified_at  timestamptz,
  constraint account_pkey primary key (id),
  constraint account_of_one_signup unique (operation_id),
  constraint account_environment_check check (environment in ('live', 'test')),
  constraint account_id_check check (id ~ '^acc_[0-9a-z]{26}$'),
  constraint account_is_active_when_verified check (state = 'erased' or (state = 'active') = (verified_at is not null)),
  constraint account_is_whole_or_erased check (
case state
    when 'erased' then num_nonnulls(email, name, password) = 0
    else num_nulls(email, password) = 0
end),
  constraint account_state_check check (state in ('unverified', 'active', 'erased'))
);
create index account_of_subject on hapax.account (tenant, environment, subject);
alter table hapax.account enable row level security, force row level security;
create policy acting_roles on hapax.account as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.account to hapax_upkeep using (true);
create policy tenant_only on hapax.account to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update, delete on hapax.account to hapax_app;
grant select, update, delete on hapax.account to hapax_upkeep;

-- Which account has an address. The address is a keyed digest of its normal form.
create table hapax.account_address (
  tenant      text not null,
  environment text not null,
  address     text not null,
  account_id  text not null,
  constraint address_has_one_account primary key (tenant, environment, address),
  constraint account_address_account_id_fkey foreign key (account_id) references hapax.account(id) on delete cascade
);
create index address_of_account on hapax.account_address (account_id);
alter table hapax.account_address enable row level security, force row level security;
create policy acting_roles on hapax.account_address as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.account_address to hapax_upkeep using (true);
create policy tenant_only on hapax.account_address to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update, delete on hapax.account_address to hapax_app;
grant select, update, delete on hapax.account_address to hapax_upkeep;

create table hapax.signup (
  operation_id text        not null,
  tenant       text        not null,
  environment  text        not null,
  addresses    text[]      not null, -- its address, as account_address has it: a digest for each seal key
  taken        boolean     not null, -- the address had an account already: only its owner is told
  mails        integer     not null default 1, -- how many mails were asked for, whether they left or not
  mailed_at    timestamptz not null default clock_timestamp(),
  constraint signup_pkey primary key (operation_id),
  constraint signup_operation_id_fkey foreign key (operation_id) references hapax.operation(id) on delete cascade,
  constraint signup_environment_check check (environment in ('live', 'test'))
);
alter table hapax.signup enable row level security, force row level security;
create policy acting_roles on hapax.signup as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.signup to hapax_upkeep using (true);
create policy tenant_only on hapax.signup to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update, delete on hapax.signup to hapax_app;
grant select, update, delete on hapax.signup to hapax_upkeep;

-- The mails that sign-ups have told, by address.
create table hapax.signup_mail (
  message_id   text        not null,
  operation_id text        not null,
  tenant       text        not null,
  environment  text        not null,
  addresses    text[]      not null,
  token_hash   bytea,
    -- SHA-256 of the token in its link: 256 random bits, so that a slow hash adds nothing. null: it has no link
  expires_at   timestamptz,
  told_at      timestamptz not null default clock_timestamp(),
  constraint signup_mail_pkey primary key (message_id),
  constraint link_leads_to_one_signup unique (token_hash),
  constraint signup_mail_operation_id_fkey foreign key (operation_id) references hapax.operation(id) on delete cascade,
  constraint link_expires check ((token_hash is null) = (expires_at is null)),
  constraint signup_mail_token_hash_check check (octet_length(token_hash) = 32)
);
create index signup_mail_told on hapax.signup_mail (tenant, environment, told_at);
create index signup_mail_of_operation on hapax.signup_mail (operation_id);
alter table hapax.signup_mail enable row level security, force row level security;
create policy acting_roles on hapax.signup_mail as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.signup_mail to hapax_upkeep using (true);
create policy found_by_token on hapax.signup_mail for select to hapax_app
    using (encode(token_hash, 'hex') = NULLIF(current_setting('hapax.signup_token', true), ''));
create policy tenant_only on hapax.signup_mail to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update, delete on hapax.signup_mail to hapax_app;
grant select, update, delete on hapax.signup_mail to hapax_upkeep;

-- What each consumer has made of each message. Two consumers of one message are two rows.
create table hapax.consumed (
  tenant       text        not null,
  environment  text        not null,
  consumer     text        not null,
  source       text        not null, -- who sent it: an id is unique for its source only
  message      text        not null, -- the sender's id, the same on each delivery
  state        text        not null default 'done',
    -- stale: a newer one was done before; waiting: for an earlier sequence; parked: that has not come in time; due: tried again; dead: tried again when a person replays it
  changed_at   timestamptz not null default now(),
  forget_after timestamptz not null, -- later than the last time at which the broker can deliver it
  id           text, -- of its dead letter, should it become one; null where it was done at once
  subject      text,
  body         bytea, -- as it was delivered, while it is not done; null where it is too large to be kept
  type         text,
  aggregate    text,
  sequence     bigint,
  operation_id text,
  cause        text,
  fence        bigint      not null default 0, -- grows with each take; who took it before can no longer write
  tries        integer     not null default 0,
  over_gap     boolean     not null default false, -- it goes on without the sequences that are missing before it
  code         text,
  detail       text,
  next_at      timestamptz, -- when it is tried; while it waits, until when that is no gap
  received_at  timestamptz,
  constraint message_is_consumed_once primary key (tenant, environment, consumer, source, message),
  constraint consumed_environment_check check (environment in ('live', 'test')),
  constraint consumed_says_why check ((state not in ('parked', 'dead')) or code is not null and detail is not null),
  constraint consumed_state_check check (state in ('done', 'stale', 'waiting', 'parked', 'due', 'dead')),
  constraint message_is_kept_until_done check (state = 'done' or id is not null and subject is not null
    and received_at is not null and next_at is not null),
  constraint waiting_message_has_a_place check ((state not in ('waiting', 'parked')) or aggregate is not null
    and sequence is not null)
);
create unique index consumed_letter on hapax.consumed (id) where (id is not null);
create index consumed_due on hapax.consumed (next_at) where (state in ('due', 'waiting'));
create index consumed_in_order on hapax.consumed (tenant, environment, consumer, source, aggregate, sequence)
    where (state in ('waiting', 'parked', 'due'));
create index consumed_listed on hapax.consumed (tenant, changed_at desc, id desc) where (state in ('parked', 'dead'));
create index consumed_outlived on hapax.consumed (forget_after);
create index consumed_body_of_message on hapax.consumed (tenant, environment, message) where (body is not null);
create index consumed_body_of_operation on hapax.consumed (operation_id) where (body is not null);
create trigger no_erased_body_is_kept before insert on hapax.consumed for each row when (new.body is not null)
    execute function hapax.keep_no_erased_body();
alter table hapax.consumed enable row level security, force row level security;
create policy acting_roles on hapax.consumed as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.consumed to hapax_upkeep using (true);
create policy tenant_only on hapax.consumed to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update on hapax.consumed to hapax_app;
grant select, update, delete on hapax.consumed to hapax_upkeep;

-- How far a consumer that keeps an order has come with each aggregate. Its row is locked while messages of the aggregate are placed.
create table hapax.consumer_position (
  tenant      text   not null,
  environment text   not null,
  consumer    text   not null,
  source      text   not null,
  aggregate   text   not null,
  done        bigint not null default 0, -- the sequence of the last message that was done; 0 before the first
  constraint consumer_position_pkey primary key (tenant, environment, consumer, source, aggregate),
  constraint consumer_position_environment_check check (environment in ('live', 'test'))
);
alter table hapax.consumer_position enable row level security, force row level security;
create policy acting_roles on hapax.consumer_position as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.consumer_position to hapax_upkeep using (true);
create policy tenant_only on hapax.consumer_position to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update on hapax.consumer_position to hapax_app;
grant select on hapax.consumer_position to hapax_upkeep;

-- How far a consumer has come with the log of published events, and until when a process reads it.
create table hapax.consumer_shard (
  consumer text        not null,
  shard    smallint    not null,
  position bigint      not null default 0,
    -- of the last event that is consumed: a process that dies leaves those behind it to the next
  fence    bigint      not null default 0, -- grows with each take; who took it before can no longer move the position
  until    timestamptz not null default now(),
  constraint consumer_shard_pkey primary key (consumer, shard),
  constraint consumer_shard_shard_check check (shard >= 0 and shard <= 15)
);
alter table hapax.consumer_shard enable row level security, force row level security;
create policy acting_roles on hapax.consumer_shard as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.consumer_shard to hapax_upkeep using (true);
grant select, insert, update on hapax.consumer_shard to hapax_upkeep;

-- What each subject has uploaded: a projection of the events `upload.used`.
create table hapax.upload_usage (
  tenant      text   not null,
  environment text   not null,
  subject     text   not null,
  uploads     bigint not null,
  bytes       bigint not null, -- of all files
  stored      bigint not null, -- what they have added to the object store: nothing for bytes that were there already
  constraint upload_usage_pkey primary key (tenant, environment, subject),
  constraint upload_usage_bytes_check check (bytes >= 0),
  constraint upload_usage_environment_check check (environment in ('live', 'test')),
  constraint upload_usage_stored_check check (stored >= 0),
  constraint upload_usage_uploads_check check (uploads > 0)
);
alter table hapax.upload_usage enable row level security, force row level security;
create policy acting_roles on hapax.upload_usage as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.upload_usage to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update on hapax.upload_usage to hapax_app;

-- Where a tenant has its events sent.
create table hapax.webhook_endpoint (
  id               text        not null, -- made of the key of the request that created it: the same for each retry
  tenant           text        not null,
  environment      text        not null,
  url              text        not null,
  types            text[], -- the types of the events that it wants; null: all
  description      text,
  created_by       text        not null,
  created_at       timestamptz not null default now(),
  disabled_at      timestamptz, -- nothing is sent until an operator enables it again
  disabled_because text,
  deleted_at       timestamptz, -- its row stays, so that a late retry does not create it anew
  constraint webhook_endpoint_pkey primary key (id),
  constraint disabled_endpoint_says_why check ((disabled_at is null) = (disabled_because is null)),
  constraint endpoint_wants_something check (cardinality(types) > 0),
  constraint webhook_endpoint_environment_check check (environment in ('live', 'test')),
  constraint webhook_endpoint_id_check check (id ~ '^we_[0-9a-z]{26}$')
);
create index endpoint_listed on hapax.webhook_endpoint (tenant, environment, created_at desc, id desc)
    where (deleted_at is null);
create trigger tenant_has_few_endpoints before insert on hapax.webhook_endpoint for each row
    execute function hapax.limit_endpoints();
alter table hapax.webhook_endpoint enable row level security, force row level security;
create policy acting_roles on hapax.webhook_endpoint as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.webhook_endpoint to hapax_upkeep using (true);
create policy tenant_only on hapax.webhook_endpoint to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update on hapax.webhook_endpoint to hapax_app;
grant select, update on hapax.webhook_endpoint to hapax_upkeep;

-- What signs the webhooks of an endpoint: the newest secret, and for a while the one before.
create table hapax.webhook_secret (
  id          text        not null, -- made of the key of the request that created it: the same for each retry
  endpoint_id text        not null,
  tenant      text        not null,
  secret      text, -- sealed, for its endpoint alone, or plain
    where it was written before secrets were sealed; null once it signs nothing any more
  made_at     timestamptz not null default now(),
  signs_until timestamptz,
  constraint webhook_secret_pkey primary key (id),
  constraint webhook_secret_endpoint_id_fkey foreign key (endpoint_id) references hapax.webhook_endpoint(id) on delete cascade,
  constraint secret_is_kept_while_it_signs check (secret is not null or signs_until is not null),
  constraint webhook_secret_id_check check (id ~ '^ws_[0-9a-z]{26}$')
);
create unique index endpoint_has_one_newest_secret on hapax.webhook_secret (endpoint_id) where (signs_until is null);
create index secret_of_endpoint on hapax.webhook_secret (endpoint_id);
alter table hapax.webhook_secret enable row level security, force row level security;
create policy acting_roles on hapax.webhook_secret as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.webhook_secret to hapax_upkeep using (true);
create policy tenant_only on hapax.webhook_secret to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, update on hapax.webhook_secret to hapax_app;
grant select on hapax.webhook_secret to hapax_upkeep;

-- A number for each operation that grows with every change of its rows that callers see.
-- Streams look every 15 s for what it does not count: progress of bytes, differences of money, what outside systems say.
create view hapax.operation_version with (security_invoker=true) as
 select id,
    tenant,
    2 * (version + (( select COALESCE(sum(s.version), 0::numeric)::bigint as "coalesce"
           from hapax.step s
          where s.operation_id = o.id)) + (( select count(*) + count(r.verdict_at)
           from hapax.resolution r
          where r.operation_id = o.id))) + (( select count(*) as count
           from hapax.step_trouble_now t
          where t.operation_id = o.id and t.needs_person)) as version
   from hapax.operation o;
grant select on hapax.operation_version to hapax_app;

-- What people met at a screen: friction, told by the client in words of short lists. It holds no personal data.
create table hapax.beacon (
  tenant       text        not null,
  environment  text        not null,
  id           uuid        not null, -- made by the client: a beacon that is sent again is none more
  operation_id text, -- null where it is about no operation that its sender may see
  at           timestamptz not null, -- by PostgreSQL's clock: the client tells how long ago it was
  signal       text        not null,
  times        integer     not null default 1,
  took_ms      bigint,
  screen       text,
  progress     smallint,
  transitions  jsonb       not null default '[]'::jsonb,
    -- how the page's state had changed: [{"to", "after"}], in milliseconds since the action began
  browser      text        not null,
  device       text        not null,
  network      text        not null,
  constraint beacon_counts_once primary key (tenant, environment, id),
  constraint beacon_operation_id_fkey foreign key (operation_id) references hapax.operation(id) on delete cascade,
  constraint beacon_browser_check check (browser ~ '^[a-z0-9-]{1,12}$'),
  constraint beacon_device_check check (device ~ '^[a-z0-9-]{1,12}$'),
  constraint beacon_environment_check check (environment in ('live', 'test')),
  constraint beacon_has_a_known_signal check (signal in ('repeated-click', 'dialog-reopened', 'same-file-selected',
    'refresh-while-pending', 'recovered')),
  constraint beacon_network_check check (network ~ '^[a-z0-9-]{1,12}$'),
  constraint beacon_of_a_recovery_says_how_long check ((signal = 'recovered') = (took_ms is not null)),
  constraint beacon_progress_check check (progress >= 0 and progress <= 100),
  constraint beacon_screen_check check (screen ~ '^[a-z]+(-[a-z]+){0,3}$' and length(screen) <= 40),
  constraint beacon_times_check check (times >= 1 and times <= 1000),
  constraint beacon_took_ms_check check (took_ms >= 0),
  constraint beacon_transitions_check check (jsonb_typeof(transitions) = 'array')
);
create index beacon_of_operation on hapax.beacon (operation_id, at) where (operation_id is not null);
create index beacon_to_forget on hapax.beacon (at);
alter table hapax.beacon enable row level security, force row level security;
create policy acting_roles on hapax.beacon as restrictive to public
    using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy all_tenants on hapax.beacon to hapax_upkeep using (true);
create policy tenant_only on hapax.beacon to hapax_app using (tenant = hapax.current_tenant());
grant select, insert, delete on hapax.beacon to hapax_app;
grant select, update, delete on hapax.beacon to hapax_upkeep;

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

create function hapax.place_asset(
  of_operation text, new_asset text, new_content text, share text, at_destination text, called text, of_type text,
  of_sha256 text, of_size bigint, at_key text, when_same text, seen jsonb, seen_by text)
returns jsonb language plpgsql
as $$
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

create function hapax.dedup_scope(of_operation text, share text, at_destination text)
returns text language sql stable
as $$
  select encode(sha256(convert_to((case share
    when 'global' then jsonb_build_array(o.tenant, o.environment, 'global')
    when 'account' then jsonb_build_array(o.tenant, o.environment, 'account', o.subject)
    when 'folder' then jsonb_build_array(o.tenant, o.environment, 'folder', o.subject, at_destination)
    when 'intent' then jsonb_build_array(o.tenant, o.environment, 'intent', o.id) end)::text, 'UTF8')), 'hex')
  from hapax.operation o where o.id = of_operation
$$;

create function hapax.give_up_asset(of_asset text)
returns table (content text, object_key text) language plpgsql
as $$
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

create function hapax.server_identity()
returns text language plpgsql stable
as $$
begin
  -- The first eight digits of the name of a file of the log are its timeline; a checkpoint would tell it minutes later.
  return (select system_identifier || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) from pg_control_system());
exception when others then
  return null; -- some hosted servers do not tell
end $$;

create function hapax.take_sweep(
  anew boolean, whoever text, by_holder uuid, every_ms double precision, lease_ms double precision)
returns SETOF hapax.sweep_pass language plpgsql
as $$
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

create function hapax.give_up_content(of_content text)
returns SETOF hapax.content language plpgsql
as $$
begin
  perform from hapax.content c where c.id = of_content for update;
  if exists (select from hapax.asset a where a.content_id = of_content) then
    return;
  end if;
  update hapax.content c set state = 'deleting', collected_by = 'sweep' where c.id = of_content and c.state <> 'deleting';
  return query select * from hapax.content c where c.id = of_content;
end $$;

create function hapax.record_event(
  new_id text, of_tenant text, of_environment text, of_source text, of_event text, of_type text, of_object text,
  of_body bytea, of_sending timestamptz, of_request text, keep_ms double precision, handlers text[],
  handling_ids text[])
returns boolean language plpgsql
as $$
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

create function hapax.take_handlings(at_most integer, lease_ms double precision)
returns table (
  id text, fence bigint, handler text, state text, tries integer, due_ms double precision, tenant text,
  environment text, source text, event text, type text, object text, body bytea, request_id text) language sql
as $$
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

create function hapax.end_handling(
  of_id text, held bigint, became text, of_operation text, why text, said text, pause_ms double precision)
returns boolean language plpgsql
as $$
begin
  update hapax.inbox_handling h
  set state = became, operation_id = coalesce(of_operation, h.operation_id), code = why, detail = said, changed_at = now(),
      next_at = now() + pause_ms * interval '1 millisecond'
  where h.id = of_id and h.fence = held and h.state in ('due', 'parked');
  return found;
end $$;

create function hapax.replay_handling(of_id text, of_environment text)
returns SETOF hapax.inbox_handling language plpgsql
as $$
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

create function hapax.count_refund()
returns trigger language plpgsql
as $$
declare
  before bigint := case when tg_op = 'UPDATE' and old.state in ('asked', 'made') then old.amount_minor else 0 end;
  after bigint := case when new.state in ('asked', 'made') then new.amount_minor else 0 end;
begin
  if before <> after then
    update hapax.customer_order set given_back_minor = given_back_minor + after - before where id = new.order_id;
  end if;
  return null;
end $$;

create function hapax.count_promo()
returns trigger language plpgsql
as $$
declare
  before integer := case when tg_op = 'UPDATE' and old.state <> 'released' then 1 else 0 end;
  after integer := case when new.state <> 'released' then 1 else 0 end;
begin
  if before <> after then
    update hapax.promo_code set used = used + after - before
      where tenant = new.tenant and environment = new.environment and code = new.promo;
  end if;
  return null;
end $$;

create function hapax.discount(price bigint, percent integer, off_minor bigint, step integer)
returns bigint language sql immutable
as $$
  select price - greatest(0, price - coalesce(off_minor, div(price::numeric * percent, 100)::bigint)) / step * step
$$;

create function hapax.list_difference(
  of_tenant text, of_environment text, of_kind text, of_provider text, of_object text, of_fact text, of_payment text,
  of_order text, of_operation text, ours bigint, theirs bigint, in_currency text, said text)
returns boolean language plpgsql
as $$
begin
  insert into hapax.money_difference as d (id, tenant, environment, kind, provider, object, fact, payment, order_id, operation_id,
      ours_minor, theirs_minor, currency, says)
    values (
      'df_' || left(encode(sha256(convert_to(concat_ws(' ', of_provider, of_object, of_kind, of_fact), 'utf8')), 'hex'), 26),
      of_tenant, of_environment, of_kind, of_provider, of_object, of_fact, of_payment, of_order, of_operation, ours, theirs,
      in_currency, said)
    on conflict (provider, object, kind, fact) do update
      set looked_at = now(), ours_minor = excluded.ours_minor, theirs_minor = excluded.theirs_minor, says = excluded.says,
        ended_at = null, reason = null
      where d.ended_by is null;
  return found;
end $$;

create function hapax.book_facts(of_provider text, facts jsonb, confirmed boolean)
returns table (booked integer, unresolved text[], unassigned integer) language plpgsql
as $$
declare
  told record;
begin
  booked := 0;
  unresolved := '{}';
  unassigned := 0;
  if confirmed then
    update hapax.money_fact f set confirmed_at = now()
      from jsonb_to_recordset(facts) as t (object text, kind text, amount bigint, currency text)
      where f.provider = of_provider and f.object = t.object and f.kind = t.kind and f.amount_minor = t.amount
        and f.currency = t.currency and f.confirmed_at is null;
  end if;
  for told in
    select t.object, t.kind, t.amount, t.currency, t.payment, t.at, t."order" as named_order, o.id as order_id,
      coalesce(t.tenant, o.tenant) as tenant, coalesce(o.environment, t.environment) as environment,
      coalesce(t.operation, c.operation_id) as operation, f.object is not null as known, f.amount_minor as ours,
      f.operation_id as our_operation, f.amount_minor <> t.amount or f.currency <> t.currency as differs
    from jsonb_to_recordset(facts) as t (tenant text, environment text, object text, kind text, amount bigint,
        currency text, payment text, "order" text, operation text, at timestamptz)
      left join hapax.money_fact f on f.provider = of_provider and f.object = t.object and f.kind = t.kind
      left join hapax.money_fact c on c.provider = of_provider and c.object = t.payment and c.kind = 'captured'
      -- `coalesce` would read all orders: behind row-level security it is no condition for an index.
      left join hapax.customer_order o on o.id = case when t."order" is null then c.order_id else t."order" end
        and o.tenant = case when t.tenant is null then c.tenant else t.tenant end
        and (confirmed or o.environment = t.environment)
    where f.object is null or f.amount_minor <> t.amount or f.currency <> t.currency
      or (t.kind = 'refunded' and o.id is not null
          and not exists (select from hapax.order_refund r where r.object = t.object))
    order by t.at, t.object, t.kind
  loop
    if told.tenant is null or (told.order_id is null and told.kind <> 'paid_out' and (not confirmed
      -- Others who share the account may name tenants of their own.
      or not exists (select from hapax.operation p where p.tenant = told.tenant))) then
      if told.payment is null then
        unassigned := unassigned + 1;
      elsif told.payment <> all (unresolved) then
        unresolved := unresolved || told.payment;
      end if;
      continue;
    end if;
    if told.differs then
      perform hapax.list_difference(told.tenant, told.environment, 'amount-differs', of_provider, told.object, told.kind,
        told.payment, told.order_id, coalesce(told.our_operation, told.operation), told.ours, told.amount, told.currency,
        format('We have booked %s of %s as %s, and the provider has %s %s.', told.ours, told.object, told.kind, told.amount,
          told.currency));
    elsif not told.known then
      -- Whoever records a refund locks its row before it books: in the other order the two would wait for each other.
      if told.kind = 'refunded' then
        perform from hapax.order_refund r
          where r.operation_id = told.operation and r.state = 'asked' or r.object = told.object
          order by r.id for no key update;
      end if;
      insert into hapax.money_fact (provider, object, kind, tenant, environment, amount_minor, currency, payment, order_id,
          operation_id, happened_at, confirmed_at)
        values (of_provider, told.object, told.kind, told.tenant, told.environment, told.amount, told.currency, told.payment,
          told.order_id, told.operation, told.at, case when confirmed then now() end)
        on conflict do nothing;
      if found then
        booked := booked + 1;
      end if;
      if told.kind = 'captured' and told.order_id is null then
        perform hapax.list_difference(told.tenant, told.environment, 'unknown-payment', of_provider, told.object, '', told.payment,
          null, told.operation, null, told.amount, told.currency,
          format('%s was paid for order %s, which is not here.', told.payment, coalesce(told.named_order, 'of no name')));
      end if;
    end if;
    if told.kind = 'refunded' and told.order_id is not null then
      perform hapax.follow_refund(of_provider, told.tenant, told.environment, told.object, told.order_id, told.operation,
        told.amount, told.currency, told.at);
    elsif told.kind = 'refund_failed' then
      perform hapax.follow_failed_refund(of_provider, told.object, told.at);
    end if;
  end loop;
  return next;
end $$;

create function hapax.follow_refund(
  of_provider text, of_tenant text, of_environment text, of_object text, of_order text, of_operation text,
  amount bigint, in_currency text, at timestamptz)
returns void language plpgsql
as $$
declare
  sent_back boolean := exists (
    select from hapax.money_fact f where f.provider = of_provider and f.object = of_object and f.kind = 'refund_failed');
begin
  update hapax.order_refund set state = 'made', object = of_object, ended_at = at
    where operation_id = of_operation and state = 'asked';
  if not found then
    perform from hapax.customer_order where id = of_order for no key update;
    -- No more than was paid: where a refund of ours still holds the rest, the provider refuses that one, and the next look
    -- finds the room. One that was sent back needs none.
    insert into hapax.order_refund (id, tenant, environment, order_id, amount_minor, currency, state, object, ended_at)
      select 'rf_' || left(encode(sha256(convert_to(of_object, 'utf8')), 'hex'), 26), of_tenant, of_environment, of_order, amount,
        in_currency, case when sent_back then 'failed' else 'made' end, of_object, at
      from hapax.customer_order o where o.id = of_order and (sent_back or o.given_back_minor + amount <= o.amount_minor)
      on conflict do nothing;
    if found and sent_back then
      perform hapax.list_difference(of_tenant, of_environment, 'refund-failed', of_provider, of_object, '', null, of_order,
        coalesce(of_operation, (select operation_id from hapax.customer_order where id = of_order)), amount, 0, in_currency,
        format('The refund %s of order %s has not reached the buyer: refund again with a new key, or pay the buyer in another way. See first that nobody has.', of_object, of_order));
    end if;
  end if;
  if sent_back then
    perform hapax.follow_failed_refund(of_provider, of_object, at);
  end if;
end $$;

create function hapax.follow_failed_refund(of_provider text, of_object text, at timestamptz)
returns void language plpgsql
as $$
declare
  failed record;
begin
  update hapax.order_refund set state = 'failed', ended_at = at where object = of_object and state = 'made' returning * into failed;
  if found then
    perform hapax.list_difference(failed.tenant, failed.environment, 'refund-failed', of_provider, of_object, '', null,
      failed.order_id,
      coalesce(failed.operation_id, (select operation_id from hapax.customer_order where id = failed.order_id)),
      failed.amount_minor, 0, failed.currency,
      format('The refund %s of order %s has not reached the buyer: refund again with a new key, or pay the buyer in another way. See first that nobody has.', of_object, failed.order_id));
  end if;
end $$;

create function hapax.money_held(of_order text)
returns bigint language sql stable
as $$
  select coalesce(sum(case when kind in ('captured', 'refund_failed', 'dispute_won') then amount_minor
                           when kind in ('refunded', 'disputed') then -amount_minor else 0 end), 0)::bigint
  from hapax.money_fact where order_id = of_order
$$;

create function hapax.find_differences(of_provider text, read_from timestamptz, late_ms double precision)
returns void language plpgsql
as $$
declare
  late interval := late_ms * interval '1 millisecond';
  since timestamptz := least(read_from, now() - interval '7 days');
begin
  perform hapax.list_difference(f.tenant, f.environment, 'missing-at-provider', f.provider, f.object, f.kind, f.payment, f.order_id,
      f.operation_id, f.amount_minor, null, f.currency,
      format('We have booked %s as %s, and the provider''s ledger does not show it.', f.object, f.kind))
    from (
      select * from hapax.money_fact u
      where u.provider = of_provider and u.confirmed_at is null and u.recorded_at < now() - late
        and u.happened_at >= read_from + interval '1 minute' and not exists (
          select from hapax.money_difference d
          where d.provider = u.provider and d.object = u.object and d.fact = u.kind and d.kind in ('amount-differs', 'missing-at-provider')
            and (d.ended_at is null or d.ended_by is not null))
        -- A refund that failed while it was pending has moved nothing, and is in no ledger of the provider.
        and not (u.kind in ('refunded', 'refund_failed') and exists (
          select from hapax.money_fact p
          where p.provider = u.provider and p.object = u.object and p.confirmed_at is null
            and p.kind = case u.kind when 'refunded' then 'refund_failed' else 'refunded' end))
      limit 1000) as f;
  -- Orders whose money has moved, or which were cancelled, since the last pass or in the last week. What a person was told of
  -- each is not told again: a refund that was sent back, or the whole.
  perform hapax.list_difference(held.tenant, held.environment, 'money-held', of_provider, held.payment, '', held.payment, held.id,
      held.operation_id, 0, held.money, held.currency,
      format('Order %s is %s, and %s %s of %s are still with us: refund them at the provider.', held.id, held.state, held.money,
        held.currency, held.payment))
    from (
      select o.id, o.tenant, o.environment, o.operation_id, o.state, o.currency, o.payment_intent as payment, m.money
      from (
          select order_id from hapax.money_fact
            where provider = of_provider and recorded_at between since and now() - late and order_id is not null
              and kind in ('captured', 'refund_failed', 'dispute_won')
          union
          select id from hapax.customer_order where cancelled_at between since and now() - late) as moved
        join hapax.customer_order o on o.id = moved.order_id
        cross join lateral (
          select hapax.money_held(o.id) - coalesce(sum(d.ours_minor), 0)::bigint as money from hapax.money_difference d
          where d.order_id = o.id and d.kind = 'refund-failed' and d.provider = of_provider) as m
      where (o.state in ('released', 'cancelled')
          or o.state = 'pending' and exists (select from hapax.operation p where p.id = o.operation_id and p.settled_at is not null))
        and exists (select from hapax.money_fact f where f.order_id = o.id and f.provider = of_provider)
        and m.money > 0
        and not exists (
          select from hapax.money_difference d
          where d.order_id = o.id and d.kind = 'money-held' and d.provider = of_provider
            and (d.ended_at is null or d.ended_by is not null))
      limit 1000) as held;
  update hapax.money_difference d set ended_at = now(), reason = 'It is over by itself.'
    where d.provider = of_provider and d.ended_at is null and case d.kind
      when 'missing-at-provider' then not exists (
        select from hapax.money_fact f
        where f.provider = d.provider and f.object = d.object and f.kind = d.fact and f.confirmed_at is null)
      when 'amount-differs' then exists (
        select from hapax.money_fact f
        where f.provider = d.provider and f.object = d.object and f.kind = d.fact and f.amount_minor = d.theirs_minor)
      when 'money-held' then hapax.money_held(d.order_id) <= 0
      else false end;
end $$;

create function hapax.claim_once(of_tenant text, of_space text, of_id text, lease_ms double precision)
returns table (decision text, held_as bigint, kept text, left_ms double precision) language plpgsql
as $$
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

create function hapax.anchor_content(
  of_tenant text, of_environment text, of_subject text, of_flow text, of_digest text, window_ms double precision)
returns double precision language plpgsql
as $$
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

create function hapax.end_answer_copies()
returns trigger language plpgsql
as $$
begin
  update hapax.answer_copies set epoch = epoch + 1, ended_by = pg_current_xact_id() where ended_by <> pg_current_xact_id();
  if found then
    perform pg_notify((select name from hapax.news_channel),
      jsonb_build_object('copies', (select epoch from hapax.answer_copies))::text);
  end if;
  return null;
end $$;

-- The next number of an aggregate on a channel, under the lock of its row.
create function hapax.number_in_aggregate(of_tenant text, of_environment text, of_channel text, of_type text, of_id text)
returns bigint language sql
as $$
  insert into hapax.aggregate as a (tenant, environment, channel, type, id, told)
  values (of_tenant, of_environment, of_channel, of_type, of_id, 1)
  on conflict (tenant, environment, channel, type, id) do update set told = a.told + 1
  returning told
$$;

-- The one way into the outbox, for a step that tells others something in its own transaction. Gives the number in the aggregate.
create function hapax.tell(
  new_id text, of_operation text, on_channel text, of_aggregate_type text, of_aggregate text, of_type text,
  says jsonb)
returns bigint language plpgsql
as $$
declare
  op record;
  number bigint;
begin
  select tenant, environment, request_id into op from hapax.operation where id = of_operation;
  if not found then
    raise exception 'operation % is not in the ledger', of_operation using errcode = 'HX004';
  end if;
  number := hapax.number_in_aggregate(op.tenant, op.environment, on_channel, of_aggregate_type, of_aggregate);
  insert into hapax.outbox (
    id, tenant, environment, operation_id, channel, aggregate_type, aggregate_id, sequence, type, cause, payload)
  values (
    new_id, op.tenant, op.environment, of_operation, on_channel, of_aggregate_type, of_aggregate, number, of_type,
    op.request_id, says);
  return number;
end $$;

-- Stays for one release: workers of the build before 0039 write the outbox themselves.
create function hapax.hear_former_outbox()
returns trigger language plpgsql
as $$
begin
  select environment, request_id into new.environment, new.cause from hapax.operation where id = new.operation_id;
  new.id := 'msg_' || left(encode(sha256(convert_to(new.operation_id || '/' || new.type, 'utf8')), 'hex'), 26);
  new.channel := case new.type when 'receipt.requested' then 'mail' else 'event' end;
  new.aggregate_type := case new.type when 'receipt.requested' then 'order' when 'asset.ready' then 'asset' else 'upload' end;
  new.aggregate_id := case new.type when 'upload.used' then new.operation_id else new.aggregate end;
  new.sequence := hapax.number_in_aggregate(
    new.tenant, new.environment, new.channel, new.aggregate_type, new.aggregate_id);
  return new;
end $$;

-- Plans the delivery of a message that names its recipient: `email` of a mail, `phone` of a text message.
create function hapax.plan_delivery()
returns trigger language plpgsql
as $$
begin
  insert into hapax.delivery (id, message_id, tenant, channel)
  values ('dl_' || substr(new.id, 5), new.id, new.tenant, new.channel);
  return null;
end $$;

-- Renews leases, and gives the deliveries that the sender still has.
create function hapax.keep_deliveries(of_ids text[], held bigint[], lease_ms double precision)
returns SETOF text language sql
as $$
  with kept as (
    select d.id from hapax.delivery d join unnest(of_ids, held) as k (id, fence) on k.id = d.id and k.fence = d.fence
    where d.state in ('due', 'sending')
    order by d.id for no key update of d
  )
  update hapax.delivery d set next_at = now() + lease_ms * interval '1 millisecond'
  from kept where d.id = kept.id
  returning d.id
$$;

-- Stays for one release, for senders of the build before 0041.
create function hapax.begin_sending(of_id text, held bigint, lease_ms double precision)
returns boolean language sql
as $$
  select hapax.begin_sending(of_id, held, lease_ms, 'a former build')
$$;

-- Stays for one release, for senders of the build before 0041.
create function hapax.end_sending(
  of_id text, held bigint, became text, why text, said text, pause_ms double precision, held_back boolean)
returns boolean language sql
as $$
  select hapax.end_sending(of_id, held, became, why, said, pause_ms, held_back, became <> 'sent')
$$;

-- Has a failed message sent again, under the same id.
create function hapax.replay_delivery(of_id text, of_environment text)
returns SETOF hapax.delivery language sql
as $$
  update hapax.delivery d
  set state = 'due', fence = d.fence + 1, tries = 0, due_since = now(), next_at = now(), changed_at = now(),
      code = null, detail = null, may_have_left_by = null, may_have_left_at = null
  from hapax.outbox o
  where d.id = of_id and o.id = d.message_id and o.environment = of_environment and d.state = 'failed'
  returning d.*
$$;

-- Leases what is due. In doubt is what may have left by an earlier try: the sender died, or got no clear answer.
create function hapax.take_deliveries(of_channels text[], at_most integer, lease_ms double precision)
returns table (
  id text, fence bigint, in_doubt boolean, tries integer, due_ms double precision, message_id text, tenant text,
  environment text, channel text, aggregate_id text, operation_id text, type text, payload jsonb,
  occurred_at timestamptz, may_have_left_by text, may_have_left_ms double precision) language sql
as $$
  with due as (
    select d.id from hapax.delivery d
    where d.endpoint_id is null and d.state in ('due', 'sending') and d.channel = any(of_channels) and d.next_at <= now()
    order by d.next_at limit at_most for update skip locked
  )
  update hapax.delivery d
  set fence = d.fence + 1, tries = d.tries + 1, next_at = now() + lease_ms * interval '1 millisecond'
  from due, hapax.outbox o
  where d.id = due.id and o.id = d.message_id
  returning d.id, d.fence, d.may_have_left_by is not null, d.tries, extract(epoch from now() - d.due_since) * 1000, o.id, o.tenant,
    o.environment, o.channel, o.aggregate_id, o.operation_id, o.type, o.payload, o.occurred_at,
    d.may_have_left_by, extract(epoch from now() - d.may_have_left_at) * 1000
$$;

-- Commits that a message is about to be handed over, unless another sender has it.
create function hapax.begin_sending(of_id text, held bigint, lease_ms double precision, leaves_by text)
returns boolean language plpgsql
as $$
begin
  update hapax.delivery d
  set state = 'sending', next_at = now() + lease_ms * interval '1 millisecond', changed_at = now(),
      may_have_left_by = coalesce(d.may_have_left_by, leaves_by), may_have_left_at = coalesce(d.may_have_left_at, now())
  where d.id = of_id and d.fence = held and d.state in ('due', 'sending');
  return found;
end $$;

-- Records what has become of a message, unless another sender has it; that it has left, also then.
create function hapax.end_sending(
  of_id text, held bigint, became text, why text, said text, pause_ms double precision, held_back boolean,
  doubted boolean)
returns boolean language plpgsql
as $$
begin
  update hapax.delivery d
  set state = became, fence = d.fence + 1, changed_at = now(), next_at = now() + pause_ms * interval '1 millisecond',
      code = case when held_back then coalesce(d.code, why) else why end,
      detail = case when held_back then coalesce(d.detail, said) else said end,
      tries = d.tries - held_back::integer,
      may_have_left_by = case when doubted then d.may_have_left_by end,
      may_have_left_at = case when doubted then d.may_have_left_at end
  where d.id = of_id
    and case became when 'sent' then d.state <> 'sent' else d.fence = held and d.state in ('due', 'sending') end;
  return found;
end $$;

-- Plans the publication of an event. It runs while the aggregate is locked, also where the former build writes the outbox.
create function hapax.plan_publication()
returns trigger language plpgsql
as $$
begin
  insert into hapax.publication (message_id, tenant, environment, aggregate_type, aggregate_id)
  values (new.id, new.tenant, new.environment, new.aggregate_type, new.aggregate_id);
  return null;
end $$;

-- Renews the leases of a relay and takes free shards up to its share. Gives those that it holds.
create function hapax.keep_shards(me text, lease_ms double precision)
returns table (shard smallint, fence bigint, share integer) language plpgsql
as $$
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

-- Gives shards back, so that another relay takes them at once.
create function hapax.leave_shards(me text, shards smallint[], goes boolean)
returns void language plpgsql
as $$
begin
  update hapax.relay_shard s set holder = null where s.holder = me and s.shard = any(shards);
  if goes then
    delete from hapax.relay r where r.id = me;
  end if;
end $$;

-- Events of a shard that may be published, in the order in which they are.
create function hapax.due_publications(of_shard smallint, at_most integer)
returns table (message_id text, place bigint, tried_at timestamptz) language sql stable
as $$
  select p.message_id, p.place, p.tried_at from hapax.publication p
  where p.shard = of_shard and p.state = 'due' and not exists (
    select from hapax.publication f
    where f.state = 'failed' and f.tenant = p.tenant and f.environment = p.environment
      and f.aggregate_type = p.aggregate_type and f.aggregate_id = p.aggregate_id)
  order by p.place limit at_most
$$;

-- The next events of a shard for the relay that holds it. `tried_ms` is since the broker may first have got it; null for what is new.
create function hapax.take_publications(of_shard smallint, held bigint, at_most integer)
returns table (
  id text, tenant text, environment text, aggregate_type text, aggregate_id text, sequence bigint, type text,
  operation_id text, cause text, payload jsonb, occurred_at timestamptz, tried_ms double precision) language sql
as $$
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

-- Records that events are published, each at the next position of its shard, unless another relay has taken the shard.
create function hapax.record_published(of_shard smallint, held bigint, ids text[])
returns integer language plpgsql
as $$
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

-- Puts the next events of a shard into its log, without a broker.
create function hapax.publish_here(of_shard smallint, held bigint, at_most integer)
returns integer language sql
as $$
  select hapax.record_published(of_shard, held, array(select d.message_id from hapax.due_publications(of_shard, at_most) d))
$$;

-- Records that the broker refuses an event. The later ones of its aggregate wait behind it.
create function hapax.refuse_publication(of_shard smallint, held bigint, of_id text, why text, said text)
returns boolean language plpgsql
as $$
begin
  perform from hapax.relay_shard s where s.shard = of_shard and s.fence = held for update;
  if not found then
    return false;
  end if;
  update hapax.publication p
  set state = 'failed', code = why, detail = said, tries = p.tries + 1, changed_at = clock_timestamp()
  where p.message_id = of_id and p.state = 'due';
  return true;
end $$;

-- Has a failed event published again, under the same id.
create function hapax.replay_publication(of_id text, of_environment text)
returns SETOF hapax.publication language sql
as $$
  update hapax.publication p set state = 'due', changed_at = clock_timestamp()
  where p.message_id = 'msg_' || substr(of_id, 4) and p.environment = of_environment and p.state = 'failed'
  returning p.*
$$;

-- Whether a buyer uses a promo code, under any name that the buyer may be stored under.
create function hapax.promo_used_by(of_tenant text, of_environment text, of_code text, buyers text[])
returns boolean language plpgsql
as $$
begin
  return exists (
    select from hapax.customer_order
    where tenant = of_tenant and environment = of_environment and promo = of_code and promo_buyer = any(buyers)
      and state <> 'released');
end $$;

-- Erases one batch of what has settled, and gives how many operations, orders and old accounts that were; 0: nothing can be erased now.
create function hapax.erase_batch(of_erasure text, at_most integer)
returns integer language plpgsql
as $$
declare
  wish record;
  ids text[];
  orders text[];
  messages text[];
begin
  select tenant, environment, subject, requested_at into strict wish from hapax.erasure where operation_id = of_erasure;
  select coalesce(array_agg(due.id), '{}') into ids from (
    select o.id from hapax.operation o
    where o.tenant = wish.tenant and o.environment = wish.environment and o.subject = wish.subject
      and o.flow <> 'erasure' and o.created_at <= wish.requested_at
      and o.settled_at is not null and o.erased_at is null
      -- What came too late outside is found by what the operation has kept. Until then only that is kept.
      and (o.sweep_at is null or o.fingerprint_version <> 0)
    order by o.id limit at_most for no key update) due;
  update hapax.step set request = null, result = null, refusal = null where operation_id = any(ids);
  update hapax.resolution
    set evidence = 'erased', reason = 'erased', result = case when result is not null then '{}'::jsonb end,
        verdict_says = case when verdict_says is not null then 'erased' end
    where operation_id = any(ids);
  delete from hapax.trouble where operation_id = any(ids);
  delete from hapax.arrival where operation_id = any(ids);
  update hapax.awaited a set evidence = '{}', sameness = ''
    from hapax.operation o
    where o.id = any(ids) and o.sweep_at is null and a.operation_id = o.id and a.outcome = 'arrived';
  delete from hapax.stray s using hapax.operation o
    where o.id = any(ids) and o.sweep_at is null and s.operation_id = o.id;
  -- Copies of the answers end with this (0038): in memory and in Redis, in every process.
  update hapax.operation o
    set request = '{}', answer_headers = null, answer_body = null, result = null, refusal = null, ending = null,
        fingerprint = '', fingerprint_version = 0, erased_at = case when o.sweep_at is null then now() end
    where o.id = any(ids);

  select coalesce(array_agg(due.id), '{}') into orders from (
    select c.id from hapax.customer_order c
    where c.tenant = wish.tenant and c.environment = wish.environment and c.created_at <= wish.requested_at
      -- The former build's orders name no subject.
      and (c.subject = wish.subject or c.subject is null and c.operation_id in (
        select o.id from hapax.operation o
        where o.tenant = wish.tenant and o.environment = wish.environment and o.subject = wish.subject))
      and c.state not in ('pending', 'cancelling')
      and (c.email is not null or c.promo_buyer is not null)
    order by c.id limit at_most for no key update) due;
  update hapax.customer_order set email = null, promo_buyer = null where id = any(orders);
  update hapax.store_credit set email = null where order_id = any(orders);

  messages := array(
    select o.id from hapax.outbox o
    where o.operation_id = any(ids)
      or o.tenant = wish.tenant and o.environment = wish.environment and o.channel in ('event', 'mail', 'sms')
        and o.aggregate_type = 'order' and o.aggregate_id = any(orders));
  perform hapax.empty_messages(messages);
  -- Behind the messages: what a consumer keeps meanwhile has waited for them, and is seen now.
  perform hapax.erase_consumed(wish.tenant, wish.environment, ids, messages);
  return cardinality(ids) + cardinality(orders) + hapax.erase_accounts_left(of_erasure, at_most);
end $$;

-- Erases the first batch, and gives how far the erasure has come. What is left, upkeep erases.
create function hapax.erase_first(of_erasure text, at_most integer)
returns jsonb language plpgsql
as $$
begin
  perform hapax.erase_batch(of_erasure, at_most);
  return (
    select jsonb_build_object(
      'erased', (
        select count(*) from hapax.operation o
        where o.tenant = e.tenant and o.environment = e.environment and o.subject = e.subject
          and o.erased_at is not null and o.created_at <= e.requested_at),
      'open', (
        select count(*) from hapax.operation o
        where o.tenant = e.tenant and o.environment = e.environment and o.subject = e.subject
          and o.erased_at is null and o.flow <> 'erasure' and o.created_at <= e.requested_at))
    from hapax.erasure e where e.operation_id = of_erasure);
end $$;

-- The sign-up that a link leads to, and whether the link has expired.
create function hapax.find_signup_link(of_token bytea)
returns table (tenant text, operation_id text, expired boolean) language plpgsql
as $$
begin
  perform set_config('hapax.signup_token', encode(of_token, 'hex'), true);
  return query
    select m.tenant, m.operation_id, m.expires_at <= clock_timestamp() from hapax.signup_mail m where m.token_hash = of_token;
end $$;

-- Whether one more mail may go to an address: ten in an hour at most.
create function hapax.may_mail_address(of_tenant text, of_environment text, of_addresses text[])
returns boolean language sql
as $$
  select count(*) < 10 from hapax.signup_mail
  where tenant = of_tenant and environment = of_environment and addresses && of_addresses
    and told_at > statement_timestamp() - interval '1 hour'
$$;

-- Tells an address of a link that confirms it.
create function hapax.tell_signup_link(
  of_operation text, of_account text, of_addresses text[], message text, sealed_token text, token bytea,
  lives_ms double precision)
returns void language plpgsql
as $$
declare
  op record;
begin
  select tenant, environment, request ->> 'email' as email into strict op from hapax.operation where id = of_operation;
  insert into hapax.signup_mail (message_id, operation_id, tenant, environment, addresses, token_hash, expires_at)
  values (message, of_operation, op.tenant, op.environment, of_addresses, token, clock_timestamp() + lives_ms * interval '1 millisecond');
  perform hapax.tell(
    message, of_operation, 'mail', 'account', of_account, 'signup.welcome',
    jsonb_build_object('email', op.email, 'token', sealed_token));
end $$;

-- Holds an address for a new account and tells it (`held`), or finds it taken: `silent` tells its owner, `taken`, `unsound` and `spent` do nothing.
create function hapax.begin_signup(
  of_operation text, new_account text, of_addresses text[], reveals boolean, message text, sealed_token text,
  token bytea, lives_ms double precision)
returns text language plpgsql
as $$
declare
  op record;
  holder record;
  held integer;
begin
  if cardinality(of_addresses) = 0 then
    return 'unsound';
  end if;
  -- Account and mails outlive the row of their sign-up, and with it the tombstone of its key.
  if exists (select from hapax.account a where a.operation_id = of_operation)
    or exists (select from hapax.outbox o where o.id = message)
  then
    return 'spent';
  end if;
  select tenant, environment, subject, request into strict op from hapax.operation where id = of_operation;
  loop
    insert into hapax.account (id, tenant, environment, operation_id, subject, email, name, password)
    values (
      new_account, op.tenant, op.environment, of_operation, op.subject,
      op.request ->> 'email', op.request ->> 'name', op.request ->> 'password');
    insert into hapax.account_address (tenant, environment, address, account_id)
    select op.tenant, op.environment, one, new_account from unnest(of_addresses) as one order by one
    on conflict on constraint address_has_one_account do nothing;
    get diagnostics held = row_count;
    if held = cardinality(of_addresses) then
      insert into hapax.signup (operation_id, tenant, environment, addresses, taken)
      values (of_operation, op.tenant, op.environment, of_addresses, false);
      if hapax.may_mail_address(op.tenant, op.environment, of_addresses) then
        perform hapax.tell_signup_link(of_operation, new_account, of_addresses, message, sealed_token, token, lives_ms);
      end if;
      return 'held';
    end if;
    delete from hapax.account where id = new_account;
    if reveals then
      return 'taken';
    end if;
    -- Of several at once each sees the mail of the one before.
    select a.id, a.state into holder from hapax.account_address d join hapax.account a on a.id = d.account_id
    where d.tenant = op.tenant and d.environment = op.environment and d.address = any(of_addresses)
    order by d.address limit 1 for update of d;
    -- Otherwise the address has become free meanwhile.
    exit when found;
  end loop;
  insert into hapax.signup (operation_id, tenant, environment, addresses, taken)
  values (of_operation, op.tenant, op.environment, of_addresses, true);
  -- A second click on the same form says nothing that the first mail did not say, and one notice a day is enough. Whoever else has
  -- asked for this address is told by the notice that somebody was there before: its owner could confirm a stranger's password.
  if not exists (
    select from hapax.signup_mail m
    where m.tenant = op.tenant and m.environment = op.environment and m.addresses && of_addresses
      and m.told_at > statement_timestamp() - interval '1 day'
      and (
        m.token_hash is null
        or m.told_at > clock_timestamp() - interval '1 hour'
          and exists (select from hapax.operation o where o.id = m.operation_id and o.subject = op.subject)))
  then
    insert into hapax.signup_mail (message_id, operation_id, tenant, environment, addresses)
    values (message, of_operation, op.tenant, op.environment, of_addresses);
    perform hapax.tell(
      message, of_operation, 'mail', 'account', holder.id, 'signup.taken',
      jsonb_build_object('email', op.request ->> 'email', 'account', holder.state));
  end if;
  return 'silent';
end $$;

-- Tells the address of a sign-up again, with a link of its own. The pause before each mail is twice as long as the one before.
create function hapax.resend_signup_mail(
  of_signup text, message text, sealed_token text, token bytea, lives_ms double precision, pause_ms double precision)
returns jsonb language plpgsql
as $$
declare
  it record;
  known boolean;
  left_ms double precision;
  account text;
begin
  select s.tenant, s.environment, s.addresses, s.taken, s.mails, s.mailed_at, o.settled_at into it
  from hapax.signup s join hapax.operation o on o.id = s.operation_id
  where s.operation_id = of_signup for update of s;
  known := found;
  if not known and exists (select from hapax.operation o where o.id = of_signup and o.flow = 'signup' and o.settled_at is null) then
    -- Its worker has not begun.
    return jsonb_build_object('became', 'soon', 'left', 1000);
  end if;
  if not known then
    return jsonb_build_object('became', 'unknown');
  end if;
  if it.settled_at is not null then
    return jsonb_build_object('became', 'over');
  end if;
  left_ms := pause_ms * 2 ^ (it.mails - 1) - extract(epoch from clock_timestamp() - it.mailed_at) * 1000;
  if left_ms > 0 then
    return jsonb_build_object('became', 'soon', 'left', ceil(left_ms));
  end if;
  update hapax.signup set mails = mails + 1, mailed_at = clock_timestamp() where operation_id = of_signup;
  select id into account from hapax.account where operation_id = of_signup;
  if account is not null and hapax.may_mail_address(it.tenant, it.environment, it.addresses) then
    perform hapax.tell_signup_link(of_signup, account, it.addresses, message, sealed_token, token, lives_ms);
  end if;
  return jsonb_build_object('became', 'told', 'mails', it.mails + 1);
end $$;

-- Leases the messages of these consumers that are to be tried again.
create function hapax.take_consumed(consumers text[], at_most integer, lease_ms double precision)
returns table (
  id text, fence bigint, tries integer, tenant text, environment text, consumer text, source text, message text,
  subject text, body bytea, over_gap boolean) language sql
as $$
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

-- Tells the gaps: messages whose predecessor has not come in time.
create function hapax.end_waits(of_consumer text, goes_on boolean, at_most integer)
returns table (
  id text, tenant text, environment text, aggregate text, sequence bigint, done bigint) language sql
as $$
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

-- Has a message that was not done tried again, under the same id.
create function hapax.replay_consumed(of_id text, of_environment text)
returns SETOF hapax.consumed language plpgsql
as $$
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

-- Plans a delivery of an event for each endpoint that wants its type.
create function hapax.plan_webhooks()
returns trigger language plpgsql
as $$
begin
  insert into hapax.delivery (id, message_id, tenant, channel, endpoint_id)
  select 'dl_' || left(encode(sha256(convert_to(new.id || '/' || e.id, 'utf8')), 'hex'), 26), new.id, new.tenant, 'webhook', e.id
  from hapax.webhook_endpoint e
  where e.tenant = new.tenant and e.environment = new.environment and e.deleted_at is null and e.disabled_at is null
    and (e.types is null or new.type = any(e.types));
  return null;
end $$;

-- Leases webhooks that are due, a fair share for each endpoint.
create function hapax.take_webhooks(
  at_most integer, for_each integer, busy text[], under_way integer[], lease_ms double precision)
returns table (
  id text, fence bigint, tries integer, due_ms double precision, message_id text, tenant text, environment text,
  channel text, aggregate_id text, operation_id text, type text, payload jsonb, occurred_at timestamptz,
  may_have_left_by text, may_have_left_ms double precision, aggregate_type text, sequence bigint, cause text,
  endpoint_id text, url text, disabled boolean, deleted boolean, secrets text[]) language sql
as $$
  with recursive open_endpoint as (
    (select d.endpoint_id from hapax.delivery d
    where d.endpoint_id is not null and d.state in ('due', 'sending') order by d.endpoint_id limit 1)
    union all
    select (
      select d.endpoint_id from hapax.delivery d
      where d.endpoint_id > o.endpoint_id and d.state in ('due', 'sending') order by d.endpoint_id limit 1)
    from open_endpoint o where o.endpoint_id is not null
  ), busy_endpoint as (
    select b.endpoint_id, b.count, e.tenant
    from unnest(busy, under_way) as b (endpoint_id, count) join hapax.webhook_endpoint e on e.id = b.endpoint_id
  ), share as (
    select one.id, one.tenant, one.next_at, coalesce(b.count, 0) + row_number() over (
      partition by o.endpoint_id order by one.next_at) as place
    from open_endpoint o
    left join busy_endpoint b on b.endpoint_id = o.endpoint_id
    cross join lateral (
      select d.id, d.tenant, d.next_at from hapax.delivery d
      where d.endpoint_id = o.endpoint_id and d.state in ('due', 'sending') and d.next_at <= now()
      order by d.next_at limit greatest(0, for_each - coalesce(b.count, 0))) one
  ), candidate as (
    select s.id from (
      select s.id, s.next_at, row_number() over (partition by s.tenant order by s.place, s.next_at)
        + (select coalesce(sum(b.count), 0) from busy_endpoint b where b.tenant = s.tenant) as turn
      from share s) s
    order by s.turn, s.next_at limit at_most
  ), due as (
    select d.id from hapax.delivery d
    where d.id in (select c.id from candidate c) and d.state in ('due', 'sending') and d.next_at <= now()
    for update skip locked
  )
  update hapax.delivery d
  set fence = d.fence + 1, tries = d.tries + 1, next_at = now() + lease_ms * interval '1 millisecond'
  from due, hapax.outbox o, hapax.webhook_endpoint e
  where d.id = due.id and o.id = d.message_id and e.id = d.endpoint_id
  returning d.id, d.fence, d.tries, extract(epoch from now() - d.due_since) * 1000, o.id, o.tenant, o.environment, d.channel,
    o.aggregate_id, o.operation_id, o.type, o.payload, o.occurred_at, d.may_have_left_by,
    extract(epoch from now() - d.may_have_left_at) * 1000, o.aggregate_type, o.sequence, o.cause, e.id, e.url,
    e.disabled_at is not null, e.deleted_at is not null, (
      select array_agg(s.secret order by s.made_at desc) from hapax.webhook_secret s
      where s.endpoint_id = e.id and s.secret is not null and (s.signs_until is null or s.signs_until > now()))
$$;

-- Makes a new secret of an endpoint, and lets the former one sign beside it for a while.
create function hapax.rotate_webhook_secret(
  of_endpoint text, of_environment text, new_id text, new_secret text, beside_ms double precision)
returns boolean language plpgsql
as $$
begin
  perform from hapax.webhook_endpoint e
  where e.id = of_endpoint and e.environment = of_environment and e.deleted_at is null for no key update;
  if not found then
    return false;
  end if;
  if exists (select from hapax.webhook_secret s where s.id = new_id) then
    return true;
  end if;
  update hapax.webhook_secret s set secret = null where s.endpoint_id = of_endpoint and s.signs_until <= now();
  update hapax.webhook_secret s set signs_until = now() + beside_ms * interval '1 millisecond'
  where s.endpoint_id = of_endpoint and s.signs_until is null;
  insert into hapax.webhook_secret (id, endpoint_id, tenant, secret, made_at)
  select new_id, e.id, e.tenant, new_secret, clock_timestamp() from hapax.webhook_endpoint e where e.id = of_endpoint;
  return true;
end $$;

-- Erases the account of a sign-up.
create function hapax.erase_account(of_operation text)
returns void language sql
as $$
  -- First: another sign-up for the address holds this row until its mail is committed, and the next statement sees it.
  delete from hapax.account_address d using hapax.account a where a.operation_id = of_operation and d.account_id = a.id;
  select hapax.empty_messages(hapax.mails_of_accounts(array(select a.id from hapax.account a where a.operation_id = of_operation)));
  update hapax.account set state = 'erased', email = null, name = null, password = null where operation_id = of_operation;
  delete from hapax.signup_mail where operation_id = of_operation;
  delete from hapax.signup where operation_id = of_operation;
$$;

-- Erases the account of a sign-up whose data are erased.
create function hapax.erase_account_with_signup()
returns trigger language plpgsql
as $$
begin
  perform hapax.erase_account(new.id);
  return null;
end $$;

-- What a consumer keeps of a message whose data were erased: the envelope alone.
create function hapax.erased_body(
  of_source text, of_message text, of_type text, of_aggregate text, of_sequence bigint, of_operation text)
returns bytea language sql stable
as $$
  select convert_to(jsonb_strip_nulls(jsonb_build_object(
    'specversion', '1.0', 'source', of_source, 'id', of_message, 'type', of_type, 'subject', of_aggregate,
    'sequence', of_sequence::text, 'hapaxoperation', of_operation, 'data', jsonb_build_object('erased', true)))::text, 'utf8')
$$;

-- Erases what consumers keep of messages of these operations.
create function hapax.erase_consumed(of_tenant text, of_environment text, operations text[], messages text[])
returns void language sql
as $$
  with kept as (
    select c.id from hapax.consumed c
    where c.id in (
      select k.id from hapax.consumed k
      where k.tenant = of_tenant and k.environment = of_environment and k.body is not null and k.operation_id = any(operations)
      union
      select k.id from hapax.consumed k
      where k.tenant = of_tenant and k.environment = of_environment and k.body is not null and k.message = any(messages)
        and k.source = '/hapax/' || of_tenant || '/' || of_environment)
    order by c.id for no key update
  )
  -- A dead letter is tried once more, which ends it: nobody has to look at it.
  update hapax.consumed c
  set body = hapax.erased_body(
        c.source, c.message, coalesce(c.type, o.type), coalesce(c.aggregate, o.aggregate_type || '/' || o.aggregate_id),
        coalesce(c.sequence, o.sequence), coalesce(c.operation_id, o.operation_id)),
      state = case c.state when 'dead' then 'due' else c.state end, fence = c.fence + 1, tries = 0, changed_at = now(),
      code = case c.state when 'parked' then c.code end, detail = case c.state when 'parked' then c.detail end,
      next_at = case when c.state in ('due', 'dead') then now() else c.next_at end
  from kept
    left join hapax.consumed k on k.id = kept.id
    left join hapax.outbox o on o.id = k.message and k.source = '/hapax/' || o.tenant || '/' || o.environment
  where c.id = kept.id and c.body is not null
$$;

-- Keeps the envelope alone of a message whose data were erased before it was delivered.
create function hapax.keep_no_erased_body()
returns trigger language plpgsql
as $$
declare
  told record;
begin
  select o.type, o.aggregate_type, o.aggregate_id, o.sequence, o.operation_id, o.payload into told
  from hapax.outbox o
  where o.id = new.message and new.source = '/hapax/' || o.tenant || '/' || o.environment for share;
  if found and told.payload = '{"erased": true}' then
    new.body := hapax.erased_body(
      new.source, new.message, told.type, told.aggregate_type || '/' || told.aggregate_id, told.sequence, told.operation_id);
    if new.state = 'dead' then
      new.state := 'due';
    end if;
    new.code := null;
    new.detail := null;
  end if;
  return new;
end $$;

-- Erases what messages say. Those that have not left go to nobody.
create function hapax.empty_messages(ids text[])
returns void language sql
as $$
  -- A sender that has one of them can no longer write, and asks before it hands it over: the fence is another one.
  with messages as (
    select o.id from hapax.outbox o where o.id = any(ids) order by o.id for no key update
  ), emptied as (
    update hapax.outbox o set payload = '{"erased": true}' from messages m where o.id = m.id
  ), unsent as (
    select d.id from hapax.delivery d where d.message_id in (select m.id from messages m) and d.state <> 'sent'
    order by d.id for no key update
  )
  update hapax.delivery d set state = 'erased', fence = d.fence + 1, code = null, detail = null, changed_at = now()
    from unsent u where d.id = u.id;
  -- What the broker has refused for what it said is another event now, and nothing waits behind it for a person.
  update hapax.publication p set state = 'due', code = null, detail = null, changed_at = clock_timestamp()
  where p.message_id = any(ids) and p.state = 'failed' and p.code in ('message-refused', 'message-unwritable')
$$;

-- The mails that were told about accounts.
create function hapax.mails_of_accounts(ids text[])
returns text[] language sql stable
as $$
  select coalesce(array_agg(o.id), '{}')
  from hapax.account a join hapax.outbox o
    on o.tenant = a.tenant and o.environment = a.environment and o.channel = 'mail' and o.aggregate_type = 'account' and o.aggregate_id = a.id
  where a.id = any(ids)
$$;

-- Erases one batch of the accounts whose sign-ups are forgotten, and gives how many those were.
create function hapax.erase_accounts_left(of_erasure text, at_most integer)
returns integer language plpgsql
as $$
declare
  ids text[];
begin
  select coalesce(array_agg(due.id), '{}') into ids from (
    select a.id from hapax.account a join hapax.erasure e
      on e.tenant = a.tenant and e.environment = a.environment and e.subject = a.subject and a.created_at <= e.requested_at
    where e.operation_id = of_erasure and a.state <> 'erased'
      and not exists (select from hapax.operation o where o.id = a.operation_id)
    order by a.id limit at_most for no key update of a) due;
  delete from hapax.account_address d where d.account_id = any(ids);
  update hapax.account a set state = 'erased', email = null, name = null, password = null where a.id = any(ids);
  perform hapax.empty_messages(hapax.mails_of_accounts(ids));
  return cardinality(ids);
end $$;

-- Erases what the mails of a sign-up say, when its row is forgotten.
create function hapax.empty_mails_of_signup()
returns trigger language plpgsql
as $$
begin
  perform hapax.empty_messages(array(select o.id from hapax.outbox o where o.operation_id = old.id and o.channel = 'mail'));
  return null;
end $$;

-- A tenant has 50 endpoints for webhooks at most, in each environment.
create function hapax.limit_endpoints()
returns trigger language plpgsql
as $$
declare
  most constant integer := 50;
begin
  -- Of two at once, the second one sees the first.
  perform pg_advisory_xact_lock(hashtextextended('webhook_endpoint/' || new.tenant || '/' || new.environment, 0));
  -- A retry makes no second one.
  if exists (select from hapax.webhook_endpoint e where e.id = new.id) then
    return new;
  end if;
  if (select count(*) from hapax.webhook_endpoint e
      where e.tenant = new.tenant and e.environment = new.environment and e.deleted_at is null) >= most
  then
    raise exception using errcode = 'check_violation', constraint = 'tenant_has_few_endpoints',
      message = format('There are %s endpoints for webhooks, and no more may be created', most);
  end if;
  return new;
end $$;

-- Counts a change of a row that callers see.
create function hapax.count_change()
returns trigger language plpgsql
as $$
begin
  new.version := old.version + 1;
  return new;
end $$;

-- Counts a change of trouble at its operation.
create function hapax.count_trouble()
returns trigger language plpgsql
as $$
begin
  update hapax.operation set version = version + 1 where id = new.operation_id;
  return null;
end $$;

-- Erases what was told of an operation whose data are erased.
create function hapax.erase_beacons()
returns trigger language plpgsql
as $$
begin
  delete from hapax.beacon where operation_id = new.id;
  return null;
end $$;
