-- What people have found out about steps that make no progress. A row waits for the next try of its step, which decides what
-- becomes of it: a person's word alone never makes a step done. Rows stay, so that an audit finds who said what, and why.
create table hapax.resolution (
  operation_id text not null references hapax.operation on delete cascade,
  number       integer not null,
  tenant       text not null,
  step         text not null,
  outcome      text not null check (outcome in ('done', 'no-effect')),
  result       jsonb,
  evidence     text not null,
  reason       text not null,
  said_by      text not null,
  said_at      timestamptz not null default now(),
  -- A try that was under way when it was said has ended by then.
  due_at       timestamptz not null,
  -- `held`: the step's code has confirmed it, or the operation has followed it. `lapsed`: it did not hold, and `verdict_says` why.
  verdict      text check (verdict in ('held', 'lapsed')),
  verdict_says text,
  verdict_at   timestamptz,
  primary key (operation_id, number),
  constraint resolution_has_a_result_where_done check ((outcome = 'done') = (result is not null)),
  constraint resolution_verdict_has_a_time check ((verdict is null) = (verdict_at is null)),
  constraint resolution_says_why_it_lapsed check ((verdict is not distinct from 'lapsed') = (verdict_says is not null))
);
create unique index resolution_waits_alone on hapax.resolution (operation_id, step) where verdict is null;

alter table hapax.resolution enable row level security;
alter table hapax.resolution force row level security;
create policy acting_roles on hapax.resolution as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.resolution to hapax_app using (tenant = hapax.current_tenant());
create policy all_tenants on hapax.resolution to hapax_upkeep using (true);
grant select, insert, update on hapax.resolution to hapax_app;
grant select, delete on hapax.resolution to hapax_upkeep;

-- Until now it stood beside the step, one for ever, and had been followed at once.
grant insert on hapax.resolution to hapax_upkeep;
set local row_security = on;
set local role hapax_upkeep;
insert into hapax.resolution
  (operation_id, number, tenant, step, outcome, evidence, reason, said_by, said_at, due_at, verdict, verdict_at)
select operation_id, row_number() over (partition by operation_id order by position), tenant, name, 'no-effect',
  resolution ->> 'evidence', resolution ->> 'reason', resolution ->> 'by', at, at, 'held', at
from hapax.step, lateral (select (resolution ->> 'at')::timestamptz as at) said
where resolution is not null;
reset role;
revoke insert on hapax.resolution from hapax_upkeep;
drop function hapax.resolve_step(text, text, jsonb, jsonb);
alter table hapax.step drop column resolution;

-- What asks for a person at once is no failed try of a step but a fault of the flow's code, which may name any step: one that is
-- done, or one that the story has not come to.
create or replace view hapax.trouble_now with (security_invoker = true) as
select t.*, t.needs_person_at <= now() as needs_person
from hapax.trouble t
join hapax.operation o on o.id = t.operation_id
where o.settled_at is null
  and (t.tries >= 2 or t.needs_person_at <= t.since)
  and t.undoing = (o.state = 'compensating')
  and (t.needs_person_at <= t.since or not exists (
    select from hapax.step s
    where s.operation_id = t.operation_id and s.name = t.step
      and case when t.undoing then s.state in ('undone', 'undo_failed')
               -- An optional step that was given up in doubt has ended, and stays unknown.
               else s.state in ('done', 'failed') or (s.state = 'unknown' and s.ended_at is not null) end));

-- Takes a person's word, under the operation's lock, where the ledger does not know better.
--   ours         the step's effect is rows of ours: the ledger knows whether it has happened
--   optional     without it the story goes on
--   longest_try  no request of a try is under way for longer
create function hapax.record_resolution(
  of_operation text, of_step text, said jsonb, ours boolean, optional boolean, longest_try interval)
returns text language plpgsql as $$
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
