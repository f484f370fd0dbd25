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

-- A person decides what nobody else can: whether a step that is in doubt has happened. The fence grows, so that whichever
-- try is still on its way cannot write any more, and the operation is due for upkeep at once.
create function hapax.resolve_step(of_operation text, of_step text, verdict text, outcome jsonb, said jsonb, stopped jsonb)
returns text language plpgsql as $$
declare
  op record;
  doubted record;
  behind_return boolean;
begin
  select state, settled_at into op from hapax.operation where id = of_operation for no key update;
  if not found then
    return 'missing';
  end if;
  select state, irreversible, resolution, ended_at into doubted
    from hapax.step where operation_id = of_operation and name = of_step for no key update;
  if doubted.resolution is not null then
    -- Another person may say the same.
    return case when doubted.resolution - 'by' - 'at' = said - 'by' then 'resolved' else 'resolved-otherwise' end;
  elsif op.settled_at is not null then
    return 'already-settled';
  elsif op.state = 'compensating' then
    return 'compensating';
  -- A look-up that proves again and again that nothing happened leaves the step planned: a person may end that too.
  elsif doubted.state is null or doubted.state not in ('planned', 'sent', 'unknown') or not exists (
    select from hapax.trouble_now where operation_id = of_operation and step = of_step and not undoing) then
    return 'not-in-doubt';
  end if;
  if verdict = 'done' then
    update hapax.step set state = 'done', result = outcome, refusal = null, ended_at = now()
      where operation_id = of_operation and name = of_step;
    update hapax.operation set state = 'running' where id = of_operation;
  else
    select exists (
      select from hapax.step where operation_id = of_operation and name <> of_step and irreversible
        and state in ('sent', 'unknown', 'done')) into behind_return;
    -- Behind what cannot be taken back the story only goes forward: the step is tried anew, under another key. Elsewhere the
    -- operation is undone; the step stays unknown, so that its own undo looks once more, unless it has none.
    update hapax.step
      set state = case when behind_return then 'planned' when irreversible then 'failed' else 'unknown' end,
          epoch = epoch + 1, sent_at = now(), refusal = stopped -> 'refusal'
      where operation_id = of_operation and name = of_step;
    update hapax.operation
      set state = case when behind_return then 'running' else 'compensating' end,
          ending = case when behind_return then ending else coalesce(ending, stopped) end
      where id = of_operation;
  end if;
  update hapax.step set resolution = said || jsonb_build_object('at', now())
    where operation_id = of_operation and name = of_step;
  update hapax.operation set fence = fence + 1, next_look_at = now(), looks = 0, updated_at = now() where id = of_operation;
  delete from hapax.trouble where operation_id = of_operation;
  return 'resolved';
end $$;
