-- No progress is a state that people see. A row says what an operation's step has met lately; it is written only when a try
-- has failed, so that what goes well pays nothing. Whether it is trouble now is for the view to say: nobody has to take the
-- row away in time, and upkeep removes it when the trouble is over.
create table hapax.trouble (
  operation_id    text primary key references hapax.operation on delete cascade,
  tenant          text not null,
  flow            text not null,
  step            text not null,
  undoing         boolean not null,
  says            text not null,
  since           timestamptz not null default now(),
  tries           integer not null default 1 check (tries >= 1),
  next_try_at     timestamptz not null,
  needs_person_at timestamptz not null
);

alter table hapax.trouble enable row level security;
alter table hapax.trouble force row level security;
create policy acting_roles on hapax.trouble as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.trouble to hapax_app using (tenant = hapax.current_tenant());
create policy all_tenants on hapax.trouble to hapax_upkeep using (true);
grant select, insert, update, delete on hapax.trouble to hapax_app;
grant select, delete on hapax.trouble to hapax_upkeep;

-- One failed try that the next one makes up for is no trouble; what asks for a person at once is.
create view hapax.trouble_now with (security_invoker = true) as
select t.*, t.needs_person_at <= now() as needs_person
from hapax.trouble t
join hapax.operation o on o.id = t.operation_id
where o.settled_at is null
  and (t.tries >= 2 or t.needs_person_at <= t.since)
  and t.undoing = (o.state = 'compensating')
  and not exists (
    select from hapax.step s
    where s.operation_id = t.operation_id and s.name = t.step
      and case when t.undoing then s.state in ('undone', 'undo_failed')
               -- An optional step that was given up in doubt has ended, and stays unknown.
               else s.state in ('done', 'failed') or (s.state = 'unknown' and s.ended_at is not null) end);
grant select on hapax.trouble_now to hapax_app, hapax_upkeep;

-- What a person has found out about a step in doubt: who, what, and why. It stands beside the step for good.
alter table hapax.step add column resolution jsonb;

-- A person ends what trying again does not: the step had no effect, and the operation is undone. The fence grows, so that a
-- try that is still on its way cannot write any more. Its request may still arrive outside: a step that may have been sent
-- therefore stays unknown, and its undo looks once more, under the very key that was sent. What nothing could take back is
-- never given up while it may still happen.
create function hapax.resolve_step(of_operation text, of_step text, said jsonb, stopped jsonb)
returns text language plpgsql as $$
declare
  op record;
  doubted record;
begin
  select state, settled_at into op from hapax.operation where id = of_operation for no key update;
  if not found then
    return 'missing';
  end if;
  select state, irreversible, resolution into doubted
    from hapax.step where operation_id = of_operation and name = of_step for no key update;
  if doubted.resolution is not null then
    -- Another person may say the same.
    return case when doubted.resolution - 'by' - 'at' = said - 'by' then 'resolved' else 'resolved-otherwise' end;
  elsif op.settled_at is not null then
    return 'already-settled';
  elsif op.state = 'compensating' then
    return 'compensating';
  -- A look-up that proves again and again that nothing happened leaves the step planned: that can be ended too.
  elsif doubted.state is null or doubted.state not in ('planned', 'sent', 'unknown') or not exists (
    select from hapax.trouble_now where operation_id = of_operation and step = of_step and not undoing) then
    return 'not-in-doubt';
  elsif doubted.irreversible and doubted.state <> 'planned' then
    return 'may-still-happen';
  elsif exists (
    select from hapax.step where operation_id = of_operation and name <> of_step and irreversible
      and state in ('sent', 'unknown', 'done')) then
    return 'forward-only';
  end if;
  -- Planned under this lock, the step is proven not to have happened, and no try of it is on its way.
  update hapax.step
    set state = case state when 'planned' then 'failed' else 'unknown' end, refusal = stopped -> 'refusal', ended_at = now(),
        resolution = said || jsonb_build_object('at', now())
    where operation_id = of_operation and name = of_step;
  update hapax.operation
    set state = 'compensating', ending = coalesce(ending, stopped), fence = fence + 1, next_look_at = now(), looks = 0,
        updated_at = now()
    where id = of_operation;
  delete from hapax.trouble where operation_id = of_operation;
  return 'resolved';
end $$;
