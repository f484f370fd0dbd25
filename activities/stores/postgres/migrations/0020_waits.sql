-- A wait is a step. What comes from outside for it arrives in one way, whoever brings it: a row here, committed before any
-- signal. Whoever writes the row first decides, be it the arrival or the end of the wait.
set local row_security = on;

create table hapax.awaited (
  operation_id text not null references hapax.operation on delete cascade,
  step         text not null,
  tenant       text not null,
  outcome      text not null check (outcome in ('arrived', 'closed')),
  evidence     jsonb,
  sameness     text,
  decided_at   timestamptz not null default now(),
  primary key (operation_id, step),
  constraint awaited_has_evidence_where_arrived
    check ((outcome = 'arrived') = (evidence is not null and sameness is not null))
);

-- What lost against another piece of evidence, or came after the end. The flow's sweep finds it.
create table hapax.stray (
  operation_id text not null references hapax.operation on delete cascade,
  step         text not null,
  sameness     text not null,
  tenant       text not null,
  evidence     jsonb not null,
  why          text not null check (why in ('lost', 'late')),
  came_at      timestamptz not null default now(),
  primary key (operation_id, step, sameness)
);

alter table hapax.awaited enable row level security;
alter table hapax.awaited force row level security;
create policy acting_roles on hapax.awaited as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.awaited to hapax_app using (tenant = hapax.current_tenant());
create policy all_tenants on hapax.awaited to hapax_upkeep using (true);
grant select, insert on hapax.awaited to hapax_app;
grant select, update on hapax.awaited to hapax_upkeep;
alter table hapax.stray enable row level security;
alter table hapax.stray force row level security;
create policy acting_roles on hapax.stray as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.stray to hapax_app using (tenant = hapax.current_tenant());
create policy all_tenants on hapax.stray to hapax_upkeep using (true);
grant select, insert on hapax.stray to hapax_app;
grant select, delete on hapax.stray to hapax_upkeep;

comment on table hapax.awaited is
  'What became of a step that waits for something from outside: whoever inserts first decides. Committed before any signal.';
comment on column hapax.awaited.sameness is 'two pieces of evidence with the same text say the same';
comment on table hapax.stray is 'Evidence that lost against another, or came after the end of its wait.';

-- The flow's patience stands still while a step waits.
alter table hapax.step add column waits boolean not null default false;
comment on column hapax.step.waits is 'the flow''s patience stands still from sent_at to ended_at';
set local role hapax_upkeep;
update hapax.step set waits = true where name = 'receive' and request = 'null';
reset role;

-- How much of a flow's patience is gone. A wait that an operation begins with counts from the claim.
create function hapax.patience_gone(of_operation text) returns interval language sql stable as $$
  select now() - o.created_at - coalesce((
    select sum(coalesce(s.ended_at, now()) - case when s.position = 0 then o.created_at else s.sent_at end)
    from hapax.step s where s.operation_id = o.id and s.waits), '0')
  from hapax.operation o where o.id = of_operation
$$;
comment on function hapax.patience_gone is 'How much of a flow''s patience is gone: the time in which steps waited does not count.';

create or replace function hapax.expect_patience(held text, patience_ms double precision) returns void language plpgsql as $$
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

create or replace function hapax.take_over(of_operation text, new_run text)
returns table (
  taken boolean, state text, fence bigint, request jsonb, request_id text, ending jsonb, deadline_ms numeric,
  age_ms numeric, forward boolean, done jsonb)
language plpgsql as $$
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

-- Begins a wait, or finds it begun. `sent` says that something may arrive from now on. The deadline of a wait that the
-- operation begins with was set by its claim. Gives how long there is left.
create function hapax.begin_wait(of_operation text, of_step text, at_position integer, patience_ms double precision)
returns table (cancelled boolean, remaining_ms double precision) language plpgsql as $$
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
comment on function hapax.begin_wait is 'Begins a step that waits, or finds it begun, and gives how long there is left.';

-- The way in. Repeatable: the first evidence counts, and the same again is answered alike. Another is kept as a stray. The
-- operation's row is locked, so that arrivals, a cancel and the end of the wait happen one after the other. It leaves
-- `waiting` in the same commit, so that a lost signal shows as an operation that runs and does nothing.
--   even_due    counts after the deadline, until the wait is closed; otherwise it is refused as `due`, and not kept
create function hapax.arrive(
  of_operation text, of_step text, at_position integer, new_evidence jsonb, new_sameness text, even_due boolean)
returns table (outcome text, counts jsonb) language plpgsql as $$
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
comment on function hapax.arrive is
  'The way in for what a step waits for. The first evidence counts, the same again is answered alike, another is a stray.';

-- Closes a wait whose deadline has passed, unless something has arrived. The operation's row is held.
create function hapax.close_wait(of_operation text, of_step text) returns void language sql as $$
  insert into hapax.awaited (operation_id, step, tenant, outcome)
  select id, of_step, tenant, 'closed' from hapax.operation where id = of_operation and deadline <= now()
  on conflict do nothing
$$;
comment on function hapax.close_wait is 'Closes a wait whose deadline has passed, unless something has arrived.';

-- Uploads were the first to wait, in a table of their own, which stays for one release: workers and doors of the build
-- before read and write it.
grant insert on hapax.awaited to hapax_upkeep;
set local role hapax_upkeep;
insert into hapax.awaited (operation_id, step, tenant, outcome, evidence, sameness)
select operation_id, 'receive', tenant, case outcome when 'received' then 'arrived' else outcome end,
  case outcome when 'received' then jsonb_build_object('method', method, 'objectKey', object_key, 'size', size,
    'sha256', sha256, 'sniffedType', sniffed_type) end,
  object_key
from hapax.transfer;
reset role;
revoke insert on hapax.awaited from hapax_upkeep;

create function hapax.tell_former_build() returns trigger language plpgsql as $$
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
create trigger awaited_as_former_build after insert on hapax.awaited
  for each row when (new.step = 'receive') execute function hapax.tell_former_build();

create function hapax.hear_former_build() returns trigger language plpgsql as $$
begin
  insert into hapax.awaited (operation_id, step, tenant, outcome, evidence, sameness)
  values (new.operation_id, 'receive', new.tenant, case new.outcome when 'received' then 'arrived' else new.outcome end,
    case new.outcome when 'received' then jsonb_build_object('method', new.method, 'objectKey', new.object_key,
      'size', new.size, 'sha256', new.sha256, 'sniffedType', new.sniffed_type) end,
    new.object_key)
  on conflict do nothing;
  return null;
end $$;
create trigger transfer_of_former_build after insert on hapax.transfer
  for each row execute function hapax.hear_former_build();
comment on function hapax.tell_former_build is 'Stays for one release: doors and workers of the build before 0020 read transfer.';
comment on function hapax.hear_former_build is 'Stays for one release: doors and workers of the build before 0020 write transfer.';
comment on table hapax.transfer is 'Stays for one release, for the build before 0020: awaited, of uploads only.';
