-- A message that may have left is remembered as such, whatever its later tries meet: only a clear no to the try that may have left
-- says that it has not. And the yes of a mail server is recorded whoever has the message by then.
set local row_security = on;

alter table hapax.delivery
  add column may_have_left_by text,
  add column may_have_left_at timestamptz,
  add constraint doubt_is_whole check ((may_have_left_by is null) = (may_have_left_at is null));
comment on column hapax.delivery.may_have_left_by is
  'the first system that may have taken it, without a clear answer; another one does not know its id';
comment on column hapax.delivery.may_have_left_at is 'when that was: systems know an id for some time only';
comment on column hapax.delivery.fence is
  'grows with each take and each record: a sender that had it before writes nothing any more, but that it has left';

-- Row security hides all rows from the owner: whoever may write them does.
set local role hapax_upkeep;
update hapax.delivery set may_have_left_by = 'a former build', may_have_left_at = changed_at
where state = 'sending' or (state = 'failed' and code = 'delivery-in-doubt');
reset role;

-- It gives two more columns. The former build names those that it reads.
drop function hapax.take_deliveries(text[], integer, double precision);
create function hapax.take_deliveries(of_channels text[], at_most integer, lease_ms double precision)
returns table (
  id text, fence bigint, in_doubt boolean, tries integer, due_ms double precision, message_id text, tenant text,
  environment text, channel text, aggregate_id text, operation_id text, type text, payload jsonb, occurred_at timestamptz,
  may_have_left_by text, may_have_left_ms double precision)
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
  returning d.id, d.fence, d.may_have_left_by is not null, d.tries, extract(epoch from now() - d.due_since) * 1000, o.id, o.tenant,
    o.environment, o.channel, o.aggregate_id, o.operation_id, o.type, o.payload, o.occurred_at,
    d.may_have_left_by, extract(epoch from now() - d.may_have_left_at) * 1000
$$;
comment on function hapax.take_deliveries is
  'Leases what is due. In doubt is what may have left by an earlier try: the sender died, or got no clear answer.';

-- Stands before each handing over. False where another sender has taken it meanwhile. The first doubt stays.
create function hapax.begin_sending(of_id text, held bigint, lease_ms double precision, leaves_by text)
returns boolean language plpgsql as $$
begin
  update hapax.delivery d
  set state = 'sending', next_at = now() + lease_ms * interval '1 millisecond', changed_at = now(),
      may_have_left_by = coalesce(d.may_have_left_by, leaves_by), may_have_left_at = coalesce(d.may_have_left_at, now())
  where d.id = of_id and d.fence = held and d.state in ('due', 'sending');
  return found;
end $$;
comment on function hapax.begin_sending(text, bigint, double precision, text) is
  'Commits that a message is about to be handed over, unless another sender has it.';

create or replace function hapax.begin_sending(of_id text, held bigint, lease_ms double precision) returns boolean language sql as $$
  select hapax.begin_sending(of_id, held, lease_ms, 'a former build')
$$;
comment on function hapax.begin_sending(text, bigint, double precision) is 'Stays for one release, for senders of the build before 0041.';

-- That it has left is true whoever has it now, and whatever was made of the doubt: a sender that has not begun then sends nothing.
-- Everything else is the holder's to say. The fence grows, so that a renewal that comes late does not shorten the pause, and a record
-- that is repeated counts once. What was held back has met nothing: the last reason stays.
create function hapax.end_sending(
  of_id text, held bigint, became text, why text, said text, pause_ms double precision, held_back boolean, doubted boolean)
returns boolean language plpgsql as $$
begin
  update hapax.delivery d
  set state = became, fence = d.fence + 1, changed_at = now(), next_at = now() + pause_ms * interval '1 millisecond',
      code = case when held_back then coalesce(d.code, why) else why end,
      detail = case when held_back then coalesce(d.detail, said) else said end,
      tries = d.tries - held_back::integer,
      may_have_left_by = case when doubted then d.may_have_left_by end,
      may_have_left_at = case when doubted then d.may_have_left_at end
  where d.id = of_id
    and case became when 'sent' then d.state <> 'sent' else d.fence = held and d.state in ('due', 'sending') end;
  return found;
end $$;
comment on function hapax.end_sending(text, bigint, text, text, text, double precision, boolean, boolean) is
  'Records what has become of a message, unless another sender has it; that it has left, also then.';

-- The former build does not say whether its no was clear.
create or replace function hapax.end_sending(
  of_id text, held bigint, became text, why text, said text, pause_ms double precision, held_back boolean)
returns boolean language sql as $$
  select hapax.end_sending(of_id, held, became, why, said, pause_ms, held_back, became <> 'sent')
$$;
comment on function hapax.end_sending(text, bigint, text, text, text, double precision, boolean) is
  'Stays for one release, for senders of the build before 0041.';

-- Whoever replays it has decided that it may leave: the doubt ends with that.
create or replace function hapax.replay_delivery(of_id text, of_environment text) returns setof hapax.delivery language sql as $$
  update hapax.delivery d
  set state = 'due', fence = d.fence + 1, tries = 0, due_since = now(), next_at = now(), changed_at = now(),
      code = null, detail = null, may_have_left_by = null, may_have_left_at = null
  from hapax.outbox o
  where d.id = of_id and o.id = d.message_id and o.environment = of_environment and d.state = 'failed'
  returning d.*
$$;
