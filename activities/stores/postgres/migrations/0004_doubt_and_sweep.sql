-- Doubt is read from a step's own row: a try of a keyed step that finds one that was sent and never answered shows the
-- operation as indeterminate. `entering` names how the step's effect happens (transaction, keyed, natural); `proceed`
-- only asks whether the run may go on.
create or replace function hapax.hold(held text, held_fence bigint, entering text, entered text) returns void language plpgsql as $$
declare
  op record;
  entered_state text;
  next_state text;
  final boolean := entering like '% of no return';
  forward boolean := entering = 'proceed' or entering like '% step%';
begin
  select state, settled_at, fence, cancel_requested_at, no_return_at into op
    from hapax.operation where id = held for no key update;
  if not found then
    raise exception 'operation % is not in the ledger', held using errcode = 'HX004';
  elsif op.settled_at is not null then
    raise exception 'operation % has settled as %', held, op.state using errcode = 'HX002';
  elsif op.fence <> held_fence then
    raise exception 'operation % was taken over (fence % < %)', held, held_fence, op.fence using errcode = 'HX001';
  end if;
  -- A statement of its own, behind the lock: it sees what another try has committed while this one waited.
  if entering like 'transaction step%' or entering like 'keyed step%' then
    select state into entered_state from hapax.step where operation_id = held and name = entered;
  end if;
  if entered_state = 'done' and entering like 'transaction step%' then
    raise exception 'step % of operation % is done', entered, held using errcode = 'HX005';
  end if;
  if forward and (op.state = 'compensating' or (op.cancel_requested_at is not null and op.no_return_at is null)) then
    raise exception 'operation % is to be cancelled', held using errcode = 'HX003';
  end if;
  if entering like '% step%' then
    next_state := case when entering like 'keyed step%' and entered_state in ('sent', 'unknown')
                       then 'indeterminate' else 'running' end;
    update hapax.operation
      set state = next_state,
          no_return_at = case when final then coalesce(op.no_return_at, now()) else op.no_return_at end,
          updated_at = now()
      where id = held and (state <> next_state or (final and op.no_return_at is null));
  elsif entering = 'wait' then
    update hapax.operation set state = 'waiting', updated_at = now() where id = held and state <> 'waiting';
  elsif entering = 'undo' then
    if op.state <> 'compensating' then
      raise exception 'operation % is not compensating', held using errcode = 'HX001';
    end if;
  elsif entering not in ('proceed', 'settle') then
    raise exception 'hold does not know how to enter %', entering;
  end if;
end $$;

-- Something may arrive outside after an operation has ended: bytes of a PUT that was still on its way. From this moment
-- on upkeep looks for it once more; null where nothing is (or is no longer) to be looked for.
alter table hapax.operation add column sweep_at timestamptz;
create index operation_to_sweep on hapax.operation (sweep_at) where sweep_at is not null;
