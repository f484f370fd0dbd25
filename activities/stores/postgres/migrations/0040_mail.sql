-- Mail and text messages leave from the outbox. Each has a row that says how far it has come: it is committed before the
-- message is handed over, and again after.
set local row_security = on;

create table hapax.delivery (
  message_id text not null references hapax.outbox on delete cascade,
  id         text generated always as ('dl_' || substr(message_id, 5)) stored,
  tenant     text not null,
  channel    text not null check (channel in ('mail', 'sms')),
  state      text not null default 'due' check (state in ('due', 'sending', 'sent', 'failed')),
  fence      bigint not null default 0,
  tries      integer not null default 0,
  due_since  timestamptz not null default now(),
  next_at    timestamptz not null default now(),
  code       text,
  detail     text,
  changed_at timestamptz not null default now(),
  primary key (id),
  constraint message_is_delivered_once unique (message_id),
  constraint delivery_says_why_it_failed check (state <> 'failed' or (code is not null and detail is not null))
);
comment on table hapax.delivery is 'How far a message of the outbox has come that leaves by mail or as a text message.';
comment on column hapax.delivery.id is 'the id of its dead letter, if it becomes one';
comment on column hapax.delivery.state is
  'sending: being handed over, or its sender died meanwhile; failed: not tried again until a person replays it';
comment on column hapax.delivery.fence is 'grows with each take: a sender that had it before can no longer write';
comment on column hapax.delivery.tries is 'how often it was taken; a try that our own protection held back does not count';
comment on column hapax.delivery.next_at is 'when it may be taken; while a sender has it, the end of its lease';
create index delivery_due on hapax.delivery (next_at) where state in ('due', 'sending');
create index delivery_listed on hapax.delivery (tenant, changed_at desc, id desc) where state = 'failed';

alter table hapax.delivery enable row level security;
alter table hapax.delivery force row level security;
create policy acting_roles on hapax.delivery as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.delivery to hapax_app using (tenant = hapax.current_tenant());
create policy all_tenants on hapax.delivery to hapax_upkeep using (true);
grant select, insert, update on hapax.delivery to hapax_app;
grant select, update on hapax.delivery to hapax_upkeep;

-- A message without a recipient stays in the outbox and goes nowhere. What was told before this migration goes nowhere either:
-- nobody expects the receipt of an order of last year.
create function hapax.plan_delivery() returns trigger language plpgsql as $$
begin
  insert into hapax.delivery (message_id, tenant, channel) values (new.id, new.tenant, new.channel);
  return null;
end $$;
create trigger outbox_is_delivered after insert on hapax.outbox
  for each row when (
    (new.channel = 'mail' and new.payload ->> 'email' is not null)
    or (new.channel = 'sms' and new.payload ->> 'phone' is not null))
  execute function hapax.plan_delivery();
comment on function hapax.plan_delivery is 'Plans the delivery of a message that names its recipient: `email` of a mail, `phone` of a text message.';

-- Takes what is due on these channels, the longest due first. Another sender takes the rest; what a dead one had is due again when
-- its lease ends.
create function hapax.take_deliveries(of_channels text[], at_most integer, lease_ms double precision)
returns table (
  id text, fence bigint, in_doubt boolean, tries integer, due_ms double precision, message_id text, tenant text,
  environment text, channel text, aggregate_id text, operation_id text, type text, payload jsonb, occurred_at timestamptz)
language sql as $$
  with due as (
    select d.id from hapax.delivery d
    where d.state in ('due', 'sending') and d.channel = any(of_channels) and d.next_at <= now()
    order by d.next_at limit at_most for update skip locked
  )
  update hapax.delivery d
  set fence = d.fence + 1, tries = d.tries + 1, next_at = now() + lease_ms * interval '1 millisecond'
  from due, hapax.outbox o
  where d.id = due.id and o.id = d.message_id
  returning d.id, d.fence, d.state = 'sending', d.tries, extract(epoch from now() - d.due_since) * 1000, o.id, o.tenant,
    o.environment, o.channel, o.aggregate_id, o.operation_id, o.type, o.payload, o.occurred_at
$$;
comment on function hapax.take_deliveries is 'Leases what is due. In doubt is what a sender was handing over when it died.';

-- Renews the leases of a sender's messages. Returns the ids of those that it still holds.
create function hapax.keep_deliveries(of_ids text[], held bigint[], lease_ms double precision) returns setof text language sql as $$
  with kept as (
    select d.id from hapax.delivery d join unnest(of_ids, held) as k (id, fence) on k.id = d.id and k.fence = d.fence
    where d.state in ('due', 'sending')
    order by d.id for no key update of d
  )
  update hapax.delivery d set next_at = now() + lease_ms * interval '1 millisecond'
  from kept where d.id = kept.id
  returning d.id
$$;
comment on function hapax.keep_deliveries is 'Renews leases, and gives the deliveries that the sender still has.';

-- Stands before each handing over. False where another sender has taken it meanwhile.
create function hapax.begin_sending(of_id text, held bigint, lease_ms double precision) returns boolean language plpgsql as $$
begin
  update hapax.delivery d
  set state = 'sending', next_at = now() + lease_ms * interval '1 millisecond', changed_at = now()
  where d.id = of_id and d.fence = held and d.state in ('due', 'sending');
  return found;
end $$;
comment on function hapax.begin_sending is 'Commits that a message is about to be handed over, unless another sender has it.';

create function hapax.end_sending(
  of_id text, held bigint, became text, why text, said text, pause_ms double precision, held_back boolean)
returns boolean language plpgsql as $$
begin
  update hapax.delivery d
  set state = became, code = why, detail = said, changed_at = now(), next_at = now() + pause_ms * interval '1 millisecond',
      tries = d.tries - held_back::integer
  where d.id = of_id and d.fence = held and d.state in ('due', 'sending');
  return found;
end $$;
comment on function hapax.end_sending is 'Records what has become of a message, unless another sender has it.';

-- A person has it sent again, under the same id. Gives no row where there is nothing to replay.
create function hapax.replay_delivery(of_id text, of_environment text) returns setof hapax.delivery language sql as $$
  update hapax.delivery d
  set state = 'due', fence = d.fence + 1, tries = 0, due_since = now(), next_at = now(), changed_at = now()
  from hapax.outbox o
  where d.id = of_id and o.id = d.message_id and o.environment = of_environment and d.state = 'failed'
  returning d.*
$$;
comment on function hapax.replay_delivery is 'Has a failed message sent again, under the same id.';
