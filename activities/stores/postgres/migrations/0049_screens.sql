-- What screens need: to be told each change of an operation in order, to find the operations of a subject that have not ended, and
-- to tell how people fared.
set local row_security = on;

-- A version counts the changes of an operation's rows. It needs no clock and no lock: each transaction adds to what it writes, and a
-- later reader sees all of it.
alter table hapax.operation add column version bigint not null default 1;
alter table hapax.step add column version bigint not null default 1;
comment on column hapax.operation.version is 'how often what callers see of the row has changed; hapax.operation_version has the whole';
comment on column hapax.step.version is 'how often what callers see of the row has changed';

create function hapax.count_change() returns trigger language plpgsql as $$
begin
  new.version := old.version + 1;
  return new;
end $$;
comment on function hapax.count_change is 'Counts a change of a row that callers see.';
create trigger operation_counts_changes
  before update of state, cancel_requested_at, deadline, refusal, renewable, answer_body on hapax.operation
  for each row when (
    (old.state, old.cancel_requested_at, old.deadline, old.renewable, old.answer_body is null, old.refusal is null)
    is distinct from
    (new.state, new.cancel_requested_at, new.deadline, new.renewable, new.answer_body is null, new.refusal is null))
  execute function hapax.count_change();
create trigger step_counts_changes
  before update of state, attempt, sent_at, ended_at, refusal, result on hapax.step
  for each row when (
    (old.state, old.attempt, old.sent_at, old.ended_at, old.refusal, old.result is null)
    is distinct from
    (new.state, new.attempt, new.sent_at, new.ended_at, new.refusal, new.result is null))
  execute function hapax.count_change();

-- Trouble is deleted once it is over, so its changes are counted at the operation, which whoever reports trouble has locked.
create function hapax.count_trouble() returns trigger language plpgsql as $$
begin
  update hapax.operation set version = version + 1 where id = new.operation_id;
  return null;
end $$;
comment on function hapax.count_trouble is 'Counts a change of trouble at its operation.';
create trigger trouble_counts_as_change after insert or update on hapax.trouble
  for each row execute function hapax.count_trouble();

-- That a person is needed comes with time alone, and goes with a change that counts two.
create view hapax.operation_version with (security_invoker = true) as
select o.id, o.tenant,
  2 * (o.version
    + (select coalesce(sum(s.version), 0)::bigint from hapax.step s where s.operation_id = o.id)
    + (select count(*) + count(r.verdict_at) from hapax.resolution r where r.operation_id = o.id))
  + (select count(*) from hapax.step_trouble_now t where t.operation_id = o.id and t.needs_person) as version
from hapax.operation o;
comment on view hapax.operation_version is 'A number for each operation that grows with every change of its rows that callers see.
Streams look every 15 s for what it does not count: progress of bytes, differences of money, what outside systems say.';
grant select on hapax.operation_version to hapax_app;

-- A screen that has lost its memory asks for what its subject has begun and not finished.
create index operation_open_of_subject on hapax.operation (tenant, environment, subject, created_at desc, id desc)
  where settled_at is null;

create table hapax.beacon (
  tenant       text        not null,
  environment  text        not null check (environment in ('live', 'test')),
  id           uuid        not null,
  operation_id text        references hapax.operation on delete cascade,
  at           timestamptz not null,
  signal       text        not null constraint beacon_has_a_known_signal check (
    signal in ('repeated-click', 'dialog-reopened', 'same-file-selected', 'refresh-while-pending', 'recovered')),
  times        integer     not null default 1 check (times between 1 and 1000),
  took_ms      bigint      check (took_ms >= 0),
  screen       text        check (screen ~ '^[a-z]+(-[a-z]+){0,3}$' and length(screen) <= 40),
  progress     smallint    check (progress between 0 and 100),
  transitions  jsonb       not null default '[]' check (jsonb_typeof(transitions) = 'array'),
  browser      text        not null check (browser ~ '^[a-z0-9-]{1,12}$'),
  device       text        not null check (device ~ '^[a-z0-9-]{1,12}$'),
  network      text        not null check (network ~ '^[a-z0-9-]{1,12}$'),
  constraint beacon_counts_once primary key (tenant, environment, id),
  constraint beacon_of_a_recovery_says_how_long check ((signal = 'recovered') = (took_ms is not null))
);
comment on table hapax.beacon is 'What people met at a screen: friction, told by the client in words of short lists. It holds no personal data.';
comment on column hapax.beacon.id is 'made by the client: a beacon that is sent again is none more';
comment on column hapax.beacon.operation_id is 'null where it is about no operation that its sender may see';
comment on column hapax.beacon.at is 'by PostgreSQL''s clock: the client tells how long ago it was';
comment on column hapax.beacon.transitions is 'how the page''s state had changed: [{"to", "after"}], in milliseconds since the action began';
create index beacon_of_operation on hapax.beacon (operation_id, at) where operation_id is not null;
create index beacon_to_forget on hapax.beacon (at);
alter table hapax.beacon enable row level security;
alter table hapax.beacon force row level security;
create policy acting_roles on hapax.beacon as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.beacon to hapax_app using (tenant = hapax.current_tenant());
create policy all_tenants on hapax.beacon to hapax_upkeep using (true);
grant select, insert, delete on hapax.beacon to hapax_app;
grant select, update, delete on hapax.beacon to hapax_upkeep;

create function hapax.erase_beacons() returns trigger language plpgsql as $$
begin
  delete from hapax.beacon where operation_id = new.id;
  return null;
end $$;
comment on function hapax.erase_beacons is 'Erases what was told of an operation whose data are erased.';
create trigger beacons_are_erased_with_their_operation after update of fingerprint_version on hapax.operation
  for each row when (new.fingerprint_version = 0 and old.fingerprint_version <> 0) execute function hapax.erase_beacons();
