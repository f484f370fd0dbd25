-- The ledger: the authority on names, branches and answers. Temporal drives progress; these rows decide.
-- Everything here may be read by a DBA as it stands; `npm run migrate` runs it, and keeps what has been run.

create schema hapax;

-- Roles are shared by all databases of a cluster, so another one may have made them already.
do $$
begin
  if not exists (select from pg_roles where rolname = 'hapax_app') then create role hapax_app nologin; end if;
  if not exists (select from pg_roles where rolname = 'hapax_upkeep') then create role hapax_upkeep nologin; end if;
exception
  when duplicate_object or unique_violation then null;
end $$;

-- The login that migrates may act as either role; a deployment grants them to its own logins instead.
do $$
begin
  execute format('grant hapax_app, hapax_upkeep to %I', current_user);
end $$;

create function hapax.current_tenant() returns text
  language sql stable
  return nullif(current_setting('hapax.tenant', true), '');

-- One logical action. The row is its claim: committed before any effect.
create table hapax.operation (
  id                  text primary key check (id ~ '^op_[0-9a-z]{26}$'),
  tenant              text not null check (tenant <> ''),
  environment         text not null check (environment in ('live', 'test')),
  subject             text not null check (subject <> ''),
  key_subject         text not null, -- empty where the flow shares its keys over the tenant
  flow                text not null,
  flow_version        integer not null,
  key                 text not null check (length(key) between 1 and 255),
  generation          integer not null check (generation >= 1),
  fingerprint         text not null,
  fingerprint_version integer not null,
  request             jsonb not null,
  request_id          text not null, -- of the request that claimed: replays name it as Original-Request
  state               text not null check (state in (
                        'claimed', 'running', 'waiting', 'indeterminate', 'compensating',
                        'succeeded', 'refused', 'compensated', 'compensation_incomplete', 'cancelled', 'expired')),
  fence               bigint not null default 0,
  run_id              text,
  cancel_requested_at timestamptz,
  no_return_at        timestamptz,
  deadline            timestamptz, -- of a wait for the caller
  ending              jsonb,       -- how it will end once its undos have run
  answer_status       integer,
  answer_headers      jsonb,
  answer_body         bytea,
  result              jsonb,
  refusal             jsonb,
  renewable           boolean not null default false,
  -- When upkeep looks after an open operation next, and how often it has: a claim is started within seconds.
  next_look_at        timestamptz not null default now() + interval '2 seconds',
  looks               integer not null default 0,
  -- Cut to what JSON dates carry, so that a cursor made of one is exact.
  created_at          timestamptz not null default date_trunc('milliseconds', now()),
  updated_at          timestamptz not null default now(),
  settled_at          timestamptz,
  answer_expires_at   timestamptz,
  tombstone_until     timestamptz,

  -- Never two operations with one name: the gatekeeper behind every faster layer.
  constraint operation_has_one_name unique (tenant, environment, key_subject, flow, key, generation),
  constraint operation_settles_with_an_end check (
    (state in ('succeeded', 'refused', 'compensated', 'compensation_incomplete', 'cancelled', 'expired'))
    = (settled_at is not null)),
  constraint operation_keeps_its_tombstone check (
    settled_at is null or (answer_expires_at is not null and tombstone_until >= answer_expires_at)),
  constraint operation_compensates_to_an_ending check (state <> 'compensating' or ending is not null)
);

-- Upkeep reads what is open and due; lists read by tenant, newest first.
create index operation_open on hapax.operation (next_look_at) where settled_at is null;
create index operation_listed on hapax.operation (tenant, environment, created_at desc, id);
create index operation_to_forget on hapax.operation (answer_expires_at) where answer_body is not null;
create index operation_to_drop on hapax.operation (tombstone_until) where settled_at is not null;

-- No going back, whatever a query forgets.
create function hapax.refuse_going_back() returns trigger language plpgsql as $$
begin
  if old.settled_at is not null and not (old.state = 'compensation_incomplete' and new.state = 'compensated') then
    raise exception 'operation % has settled as % and cannot become %', old.id, old.state, new.state
      using errcode = 'HX002';
  end if;
  if old.state = 'compensating' and new.state in ('claimed', 'running', 'waiting', 'indeterminate', 'succeeded') then
    raise exception 'operation % is compensating and cannot become %', old.id, new.state using errcode = 'HX003';
  end if;
  return new;
end $$;

create trigger operation_never_goes_back before update of state on hapax.operation
  for each row when (old.state is distinct from new.state) execute function hapax.refuse_going_back();

-- One named effect inside an operation. The row is written before the effect and says what is known of it.
create table hapax.step (
  operation_id text not null references hapax.operation on delete cascade,
  tenant       text not null,
  name         text not null,
  position     integer not null,
  state        text not null check (state in (
                 'planned', 'sent', 'done', 'failed', 'unknown', 'undoing', 'undone', 'undo_failed')),
  attempt      integer not null default 1, -- token of the try that may write the outcome
  epoch        integer not null default 1, -- part of the downstream key; grows only when no effect is proven
  undo_epoch   integer not null default 1, -- likewise, of the undo's key
  no_return    boolean not null default false,
  request      jsonb,                      -- exactly what was sent, and will be sent again
  result       jsonb,
  refusal      jsonb,
  sent_at      timestamptz not null default now(),
  ended_at     timestamptz,
  primary key (operation_id, name)
);

-- The fence. Each ledger transaction of a run begins here: it locks the operation and refuses a run that was taken over,
-- a settled operation, and a new step after a cancel. Raised codes are mapped to failures in one place.
create function hapax.hold(held text, held_fence bigint, entering text, entered text) returns void language plpgsql as $$
declare
  op hapax.operation;
begin
  select * into op from hapax.operation where id = held for no key update;
  if not found then
    raise exception 'operation % is not in the ledger', held using errcode = 'HX004';
  elsif op.settled_at is not null then
    raise exception 'operation % has settled as %', held, op.state using errcode = 'HX002';
  elsif op.fence <> held_fence then
    raise exception 'operation % was taken over (fence % < %)', held, held_fence, op.fence using errcode = 'HX001';
  elsif entered is not null
    and exists (select from hapax.step where operation_id = held and name = entered and state = 'done') then
    raise exception 'step % of operation % is done', entered, held using errcode = 'HX005';
  end if;
  case entering
    when 'step', 'doubtful step', 'no return', 'doubtful no return' then
      if op.state = 'compensating' or (op.cancel_requested_at is not null and op.no_return_at is null) then
        raise exception 'operation % is to be cancelled', held using errcode = 'HX003';
      end if;
      update hapax.operation
        set state = case when entering like 'doubtful %' then 'indeterminate' else 'running' end,
            no_return_at = case when entering like '%no return' then coalesce(op.no_return_at, now()) else op.no_return_at end,
            updated_at = now()
        where id = held
          and (entering like '%no return' and op.no_return_at is null
               or state <> case when entering like 'doubtful %' then 'indeterminate' else 'running' end);
    when 'wait' then
      update hapax.operation set state = 'waiting', updated_at = now() where id = held and state <> 'waiting';
    when 'undo' then
      if op.state <> 'compensating' then
        raise exception 'operation % is not compensating', held using errcode = 'HX001';
      end if;
    when 'settle' then null;
  end case;
end $$;

-- Every arrival of a request for an operation, and which layer decided. Written in batches, off the hot path.
create table hapax.arrival (
  id           bigint generated always as identity primary key,
  tenant       text not null,
  operation_id text not null,
  at           timestamptz not null,
  request_id   text not null,
  decision     text not null,
  layer        text not null,
  user_agent   text,
  times        integer not null default 1 -- arrivals beyond the first few of a batch are counted in one row
);
create index arrival_of_operation on hapax.arrival (operation_id, id);
create index arrival_to_forget on hapax.arrival (at);

-- A key that was issued by POST /v1/keys before the action.
create table hapax.issued_key (
  key         text primary key,
  tenant      text not null,
  environment text not null,
  subject     text not null,
  issued_at   timestamptz not null default now()
);

-- What others are to be told, in the writer's own transaction. A relay reads by `writer`, so that a row that commits
-- late with a low number is not skipped.
create table hapax.outbox (
  id         bigint generated always as identity primary key,
  writer     xid8 not null default pg_current_xact_id(),
  tenant     text not null,
  operation_id text not null,
  aggregate  text not null,
  sequence   bigint not null,
  type       text not null,
  payload    jsonb not null,
  created_at timestamptz not null default now(),
  constraint outbox_has_one_of_each unique (aggregate, sequence)
);

alter table hapax.operation  enable row level security;
alter table hapax.step       enable row level security;
alter table hapax.arrival    enable row level security;
alter table hapax.issued_key enable row level security;
alter table hapax.outbox     enable row level security;

create policy tenant_only on hapax.operation  to hapax_app using (tenant = hapax.current_tenant());
create policy tenant_only on hapax.step       to hapax_app using (tenant = hapax.current_tenant());
create policy tenant_only on hapax.issued_key to hapax_app using (tenant = hapax.current_tenant());
create policy tenant_only on hapax.outbox     to hapax_app using (tenant = hapax.current_tenant());
create policy tenant_only on hapax.arrival    to hapax_app using (tenant = hapax.current_tenant());
-- Arrivals are written in batches over tenants and only ever read by one.
create policy any_insert  on hapax.arrival for insert to hapax_app with check (true);

create policy all_tenants on hapax.operation  to hapax_upkeep using (true);
create policy all_tenants on hapax.step       to hapax_upkeep using (true);
create policy all_tenants on hapax.arrival    to hapax_upkeep using (true);
create policy all_tenants on hapax.issued_key to hapax_upkeep using (true);
create policy all_tenants on hapax.outbox     to hapax_upkeep using (true);

grant usage on schema hapax to hapax_app, hapax_upkeep;
grant select, insert, update on hapax.operation, hapax.step to hapax_app;
grant select, insert on hapax.arrival, hapax.issued_key, hapax.outbox to hapax_app;
grant select, update, delete on hapax.operation, hapax.step, hapax.arrival, hapax.issued_key to hapax_upkeep;
