-- An undo that an outside system has answered with a stored failure needs a new key, like a step does.
alter table hapax.step add column undo_epoch integer not null default 1;

-- As in 0001, and a step of no return whose last try was left without an answer is shown as indeterminate as well.
create or replace function hapax.hold(held text, held_fence bigint, entering text) returns void language plpgsql as $$
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
