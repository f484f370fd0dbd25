-- The outbox becomes readable. `tell` is the one way to write it: each message says on which channel it leaves and which
-- aggregate it is about, and has a number in that aggregate's order.
set local row_security = on;

create table hapax.aggregate (
  tenant      text not null,
  environment text not null check (environment in ('live', 'test')),
  channel     text not null check (channel in ('event', 'mail', 'sms')),
  type        text not null,
  id          text not null,
  told        bigint not null,
  primary key (tenant, environment, channel, type, id)
);
comment on table hapax.aggregate is
  'What messages are about, on each channel. Its row is locked while a message gets its number, until the commit.';
comment on column hapax.aggregate.told is 'the number of the newest message: none is missing before it';

alter table hapax.aggregate enable row level security;
alter table hapax.aggregate force row level security;
create policy acting_roles on hapax.aggregate as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.aggregate to hapax_app using (tenant = hapax.current_tenant());
create policy all_tenants on hapax.aggregate to hapax_upkeep using (true);
grant select, insert, update on hapax.aggregate to hapax_app;
grant select on hapax.aggregate to hapax_upkeep;

-- The former build names neither of the two columns that get another name here.
alter table hapax.outbox drop constraint outbox_has_one_of_each;
alter table hapax.outbox drop constraint outbox_pkey;
alter table hapax.outbox rename column id to written;
alter table hapax.outbox rename column created_at to occurred_at;
alter table hapax.outbox alter column aggregate drop not null;
alter table hapax.outbox
  add column id text,
  add column environment text,
  add column channel text,
  add column aggregate_type text,
  add column aggregate_id text,
  add column cause text;

-- What was told until now, numbered anew for each channel and aggregate.
grant select, update on hapax.outbox to hapax_upkeep;
grant insert on hapax.aggregate to hapax_upkeep;
set local role hapax_upkeep;
update hapax.outbox o set
  id = 'msg_' || left(encode(sha256(convert_to(o.operation_id || '/' || o.type, 'utf8')), 'hex'), 26),
  environment = coalesce(
    (select p.environment from hapax.operation p where p.id = o.operation_id),
    (select c.environment from hapax.customer_order c where c.id = o.aggregate),
    (select a.environment from hapax.asset a where a.id = o.aggregate),
    o.payload ->> 'environment', 'live'),
  channel = case o.type when 'receipt.requested' then 'mail' else 'event' end,
  aggregate_type = case o.type when 'receipt.requested' then 'order' when 'asset.ready' then 'asset' else 'upload' end,
  aggregate_id = case o.type when 'upload.used' then o.operation_id else o.aggregate end,
  cause = (select p.request_id from hapax.operation p where p.id = o.operation_id);
update hapax.outbox o set sequence = numbered.sequence
from (
  select id, row_number() over (
    partition by tenant, environment, channel, aggregate_type, aggregate_id order by written) as sequence
  from hapax.outbox
) numbered
where numbered.id = o.id and numbered.sequence <> o.sequence;
insert into hapax.aggregate (tenant, environment, channel, type, id, told)
select tenant, environment, channel, aggregate_type, aggregate_id, max(sequence) from hapax.outbox group by 1, 2, 3, 4, 5;
reset role;
revoke update on hapax.outbox from hapax_upkeep;
revoke insert on hapax.aggregate from hapax_upkeep;

alter table hapax.outbox
  alter column id set not null,
  alter column environment set not null,
  alter column channel set not null,
  alter column aggregate_type set not null,
  alter column aggregate_id set not null,
  add constraint outbox_pkey primary key (id),
  add constraint outbox_has_one_of_each unique (tenant, environment, channel, aggregate_type, aggregate_id, sequence),
  add constraint outbox_id_check check (id ~ '^msg_[0-9a-z]{26}$'),
  add constraint outbox_environment_check check (environment in ('live', 'test')),
  add constraint outbox_channel_check check (channel in ('event', 'mail', 'sms'));
comment on column hapax.outbox.id is 'made of the operation and of what it says: the same after a restore';
comment on column hapax.outbox.written is 'the order of writing, for people: a row that commits late may have a low number';
comment on column hapax.outbox.writer is 'the transaction that wrote it, for people';
comment on column hapax.outbox.sequence is 'in the order of its channel and aggregate, without a gap';
comment on column hapax.outbox.cause is 'the request, or the delivery of an event, that began the operation';
comment on column hapax.outbox.aggregate is 'stays for one release: workers of the build before 0039 name the aggregate here';

-- The next number of an aggregate on a channel. Its row stays locked until the transaction ends, so that the next one who asks
-- waits: what commits later has the higher number, and a number that is rolled back is given again.
create function hapax.number_in_aggregate(
  of_tenant text, of_environment text, of_channel text, of_type text, of_id text) returns bigint language sql as $$
  insert into hapax.aggregate as a (tenant, environment, channel, type, id, told)
  values (of_tenant, of_environment, of_channel, of_type, of_id, 1)
  on conflict (tenant, environment, channel, type, id) do update set told = a.told + 1
  returning told
$$;
comment on function hapax.number_in_aggregate is 'The next number of an aggregate on a channel, under the lock of its row.';

create function hapax.tell(
  new_id text, of_operation text, on_channel text, of_aggregate_type text, of_aggregate text, of_type text, says jsonb)
returns bigint language plpgsql as $$
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
comment on function hapax.tell is
  'The one way into the outbox, for a step that tells others something in its own transaction. Gives the number in the aggregate.';

create function hapax.hear_former_outbox() returns trigger language plpgsql as $$
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
create trigger outbox_of_former_build before insert on hapax.outbox
  for each row when (new.id is null) execute function hapax.hear_former_outbox();
comment on function hapax.hear_former_outbox is 'Stays for one release: workers of the build before 0039 write the outbox themselves.';
