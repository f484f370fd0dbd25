-- One function moves an operation from state to state, and one list says which moves there are: it stands here, in
-- workflows/operation/state.ts and in ARCHITECTURE.md, and a test compares the three.

create function hapax.may_move(from_state text, to_state text) returns boolean language sql immutable parallel safe as $$
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

-- The list binds every writer: the builds that still write the state in statements of their own, and a person's SQL.
-- It is asked here and not in the trigger's condition, which PostgreSQL would parse anew with each update.
create function hapax.check_move() returns trigger language plpgsql as $$
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

drop trigger operation_never_goes_back on hapax.operation;
drop function hapax.refuse_going_back();
create trigger operation_moves_as_listed before update of state on hapax.operation
  for each row when (old.state is distinct from new.state) execute function hapax.check_move();
create trigger operation_begins_open before insert on hapax.operation
  for each row when (new.state not in ('claimed', 'waiting')) execute function hapax.check_move();

-- How an operation settles: its answer, and for how long each part of it is kept, counted from now.
create type hapax.settlement as (
  status      integer,
  headers     jsonb,
  body        bytea,
  result      jsonb,
  refusal     jsonb,
  renewable   boolean,
  answer_for  interval,
  key_for     interval, -- the key is refused for that long, with its answer or without
  sweep_after interval  -- null where nothing can arrive late
);

-- The only writer of `state` after the claim. Whatever belongs to a move is written with it, as one version of the row.
-- Its callers hold the row's lock and have decided. A move to the state that the operation is in writes the rest.
create function hapax.move(
  of_operation text, to_state text, new_fence bigint default null, new_run text default null,
  past_return boolean default false, new_ending jsonb default null, look_within interval default null,
  settled_with hapax.settlement default null)
returns void language plpgsql as $$
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

create or replace function hapax.open_operation(opened text, run text, patience_ms double precision)
returns void language plpgsql as $$
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

-- A take-over: a run that held the operation before cannot write any more. Gives what the new run has to know; of a
-- settled operation its state, of a missing one no row. Patience counts from the claim; that of a story that waits for
-- its caller from what has last been done, since the caller's time is not ours.
create function hapax.take_over(of_operation text, new_run text)
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
           extract(epoch from now() - case
             when o.deadline is null then o.created_at else greatest(o.created_at, steps.last_done) end) * 1000,
           o.no_return_at is not null, coalesce(steps.done, '{}')
    from hapax.operation o, lateral (
      select max(s.ended_at) as last_done, jsonb_object_agg(s.name, s.result) as done
      from hapax.step s where s.operation_id = o.id and s.state = 'done') steps
    where o.id = of_operation;
end $$;

-- What a ledger transaction of a run is about to do behind the fence: try a step, wait for its caller, undo a step, ask
-- whether it may go on, or keep a record (which also an end is).
create type hapax.entering as enum ('step', 'wait', 'undo', 'proceed', 'record');
create type hapax.effect as enum ('transaction', 'keyed', 'natural');

-- The fence. Each ledger transaction of a run begins here: it locks the operation and refuses a run that was taken over,
-- a settled operation, and a new step after a cancel. Raised codes are mapped to failures in one place. The last three
-- parameters are of a step, and null for everything else.
create function hapax.enter(
  of_operation text, with_fence bigint, entering hapax.entering, of_step text, step_effect hapax.effect,
  without_return boolean)
returns void language plpgsql as $$
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

-- Stays for one release: workers of the build before call it. It has no rules of its own.
create or replace function hapax.hold(held text, held_fence bigint, entering text, entered text)
returns void language plpgsql as $$
begin
  if entering like '% step%' then
    perform hapax.enter(
      held, held_fence, 'step', entered, split_part(entering, ' ', 1)::hapax.effect, entering like '% of no return');
  else
    perform hapax.enter(
      held, held_fence, (case entering when 'settle' then 'record' else entering end)::hapax.entering, null, null, null);
  end if;
end $$;

-- `running → compensating`, unless what may have happened stands against it: an irreversible step always, a step of no
-- return unless the outside has refused one behind it. Gives the ending that counts, the first; null where it stays.
create function hapax.turn_to_compensating(of_operation text, new_ending jsonb, refused boolean)
returns jsonb language plpgsql as $$
declare
  op record;
begin
  select state, ending into op from hapax.operation where id = of_operation;
  -- It has turned already: what had been decided then counts.
  if op.state = 'compensating' then
    return op.ending;
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

-- Outcome and answer in one write, and the news to everyone who waits, delivered when the transaction commits. A small
-- answer travels with the news, which spares each waiting process a read (NOTIFY carries less than 8,000 bytes).
-- `by` is the step that ends the story, in whose transaction this is: nothing settles unless it is done.
create function hapax.settle(of_operation text, to_state text, settled_with hapax.settlement, by text)
returns void language plpgsql as $$
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
