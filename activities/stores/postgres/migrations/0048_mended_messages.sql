-- The bodies of functions are checked, and name tables with policies.
set local row_security = on;

-- A broker that refuses an event now may have got it in an earlier try, whose answer was lost. So a refusal keeps when it was first
-- tried: once it is replayed, the relay looks for it before it publishes it again.
create or replace function hapax.refuse_publication(of_shard smallint, held bigint, of_id text, why text, said text)
returns boolean language plpgsql as $$
begin
  perform from hapax.relay_shard s where s.shard = of_shard and s.fence = held for update;
  if not found then
    return false;
  end if;
  update hapax.publication p
  set state = 'failed', code = why, detail = said, tries = p.tries + 1, changed_at = clock_timestamp()
  where p.message_id = of_id and p.state = 'due';
  return true;
end $$;
comment on function hapax.refuse_publication is
  'Records that the broker refuses an event. The later ones of its aggregate wait behind it.';

-- What a consumer keeps of a message that is not done goes with the data of its subject. What is left says that it was erased: then it
-- has no effect, and takes its place in the order of its aggregate.
create index consumed_body_of_message on hapax.consumed (tenant, environment, message) where body is not null;
create index consumed_body_of_operation on hapax.consumed (operation_id) where body is not null;

create function hapax.erased_body(
  of_source text, of_message text, of_type text, of_aggregate text, of_sequence bigint, of_operation text)
returns bytea language sql stable as $$
  select convert_to(jsonb_strip_nulls(jsonb_build_object(
    'specversion', '1.0', 'source', of_source, 'id', of_message, 'type', of_type, 'subject', of_aggregate,
    'sequence', of_sequence::text, 'hapaxoperation', of_operation, 'data', jsonb_build_object('erased', true)))::text, 'utf8')
$$;
comment on function hapax.erased_body is 'What a consumer keeps of a message whose data were erased: the envelope alone.';

create function hapax.erase_consumed(of_tenant text, of_environment text, operations text[], messages text[])
returns void language sql as $$
  with kept as (
    select c.id from hapax.consumed c
    where c.id in (
      select k.id from hapax.consumed k
      where k.tenant = of_tenant and k.environment = of_environment and k.body is not null and k.operation_id = any(operations)
      union
      select k.id from hapax.consumed k
      where k.tenant = of_tenant and k.environment = of_environment and k.body is not null and k.message = any(messages)
        and k.source = '/hapax/' || of_tenant || '/' || of_environment)
    order by c.id for no key update
  )
  -- A dead letter is tried once more, which ends it: nobody has to look at it.
  update hapax.consumed c
  set body = hapax.erased_body(
        c.source, c.message, coalesce(c.type, o.type), coalesce(c.aggregate, o.aggregate_type || '/' || o.aggregate_id),
        coalesce(c.sequence, o.sequence), coalesce(c.operation_id, o.operation_id)),
      state = case c.state when 'dead' then 'due' else c.state end, fence = c.fence + 1, tries = 0, changed_at = now(),
      code = case c.state when 'parked' then c.code end, detail = case c.state when 'parked' then c.detail end,
      next_at = case when c.state in ('due', 'dead') then now() else c.next_at end
  from kept
    left join hapax.consumed k on k.id = kept.id
    left join hapax.outbox o on o.id = k.message and k.source = '/hapax/' || o.tenant || '/' || o.environment
  where c.id = kept.id and c.body is not null
$$;
comment on function hapax.erase_consumed is 'Erases what consumers keep of messages of these operations.';

-- The stream may bring a message whose data were erased meanwhile. Its row in the outbox is locked, so that an erasure that has not
-- seen this one is waited for, or waits.
create function hapax.keep_no_erased_body() returns trigger language plpgsql as $$
declare
  told record;
begin
  select o.type, o.aggregate_type, o.aggregate_id, o.sequence, o.operation_id, o.payload into told
  from hapax.outbox o
  where o.id = new.message and new.source = '/hapax/' || o.tenant || '/' || o.environment for share;
  if found and told.payload = '{"erased": true}' then
    new.body := hapax.erased_body(
      new.source, new.message, told.type, told.aggregate_type || '/' || told.aggregate_id, told.sequence, told.operation_id);
    if new.state = 'dead' then
      new.state := 'due';
    end if;
    new.code := null;
    new.detail := null;
  end if;
  return new;
end $$;
comment on function hapax.keep_no_erased_body is 'Keeps the envelope alone of a message whose data were erased before it was delivered.';
create trigger no_erased_body_is_kept before insert on hapax.consumed
  for each row when (new.body is not null) execute function hapax.keep_no_erased_body();

create function hapax.empty_messages(ids text[]) returns void language sql as $$
  -- A sender that has one of them can no longer write, and asks before it hands it over: the fence is another one.
  with messages as (
    select o.id from hapax.outbox o where o.id = any(ids) order by o.id for no key update
  ), emptied as (
    update hapax.outbox o set payload = '{"erased": true}' from messages m where o.id = m.id
  ), unsent as (
    select d.id from hapax.delivery d where d.message_id in (select m.id from messages m) and d.state <> 'sent'
    order by d.id for no key update
  )
  update hapax.delivery d set state = 'erased', fence = d.fence + 1, code = null, detail = null, changed_at = now()
    from unsent u where d.id = u.id;
  -- What the broker has refused for what it said is another event now, and nothing waits behind it for a person.
  update hapax.publication p set state = 'due', code = null, detail = null, changed_at = clock_timestamp()
  where p.message_id = any(ids) and p.state = 'failed' and p.code in ('message-refused', 'message-unwritable')
$$;
comment on function hapax.empty_messages is 'Erases what messages say. Those that have not left go to nobody.';

-- Mails about an account go with it, also one that somebody else's sign-up has set off.
create function hapax.mails_of_accounts(ids text[]) returns text[] language sql stable as $$
  select coalesce(array_agg(o.id), '{}')
  from hapax.account a join hapax.outbox o
    on o.tenant = a.tenant and o.environment = a.environment and o.channel = 'mail' and o.aggregate_type = 'account' and o.aggregate_id = a.id
  where a.id = any(ids)
$$;
comment on function hapax.mails_of_accounts is 'The mails that were told about accounts.';

create or replace function hapax.erase_account(of_operation text) returns void language sql as $$
  -- First: another sign-up for the address holds this row until its mail is committed, and the next statement sees it.
  delete from hapax.account_address d using hapax.account a where a.operation_id = of_operation and d.account_id = a.id;
  select hapax.empty_messages(hapax.mails_of_accounts(array(select a.id from hapax.account a where a.operation_id = of_operation)));
  update hapax.account set state = 'erased', email = null, name = null, password = null where operation_id = of_operation;
  delete from hapax.signup_mail where operation_id = of_operation;
  delete from hapax.signup where operation_id = of_operation;
$$;

-- Accounts whose sign-ups are forgotten are erased in batches, as everything else, and looked for again until none is left: a sign-up
-- may be forgotten after its erasure was asked for.
drop trigger old_accounts_are_erased on hapax.erasure;
drop function hapax.erase_old_accounts();
create function hapax.erase_accounts_left(of_erasure text, at_most integer) returns integer language plpgsql as $$
declare
  ids text[];
begin
  select coalesce(array_agg(due.id), '{}') into ids from (
    select a.id from hapax.account a join hapax.erasure e
      on e.tenant = a.tenant and e.environment = a.environment and e.subject = a.subject and a.created_at <= e.requested_at
    where e.operation_id = of_erasure and a.state <> 'erased'
      and not exists (select from hapax.operation o where o.id = a.operation_id)
    order by a.id limit at_most for no key update of a) due;
  delete from hapax.account_address d where d.account_id = any(ids);
  update hapax.account a set state = 'erased', email = null, name = null, password = null where a.id = any(ids);
  perform hapax.empty_messages(hapax.mails_of_accounts(ids));
  return cardinality(ids);
end $$;
comment on function hapax.erase_accounts_left is 'Erases one batch of the accounts whose sign-ups are forgotten, and gives how many those were.';

-- With the row of a sign-up goes what leads from a subject to its mails, and those of one that was not confirmed have no account. So
-- they are emptied before.
grant update (payload) on hapax.outbox to hapax_upkeep;
create function hapax.empty_mails_of_signup() returns trigger language plpgsql as $$
begin
  perform hapax.empty_messages(array(select o.id from hapax.outbox o where o.operation_id = old.id and o.channel = 'mail'));
  return null;
end $$;
comment on function hapax.empty_mails_of_signup is 'Erases what the mails of a sign-up say, when its row is forgotten.';
create trigger mails_go_with_their_signup after delete on hapax.operation
  for each row when (old.flow = 'signup') execute function hapax.empty_mails_of_signup();

create or replace function hapax.erase_batch(of_erasure text, at_most integer) returns integer language plpgsql as $$
declare
  wish record;
  ids text[];
  orders text[];
  messages text[];
begin
  select tenant, environment, subject, requested_at into strict wish from hapax.erasure where operation_id = of_erasure;
  select coalesce(array_agg(due.id), '{}') into ids from (
    select o.id from hapax.operation o
    where o.tenant = wish.tenant and o.environment = wish.environment and o.subject = wish.subject
      and o.flow <> 'erasure' and o.created_at <= wish.requested_at
      and o.settled_at is not null and o.erased_at is null
      -- What came too late outside is found by what the operation has kept. Until then only that is kept.
      and (o.sweep_at is null or o.fingerprint_version <> 0)
    order by o.id limit at_most for no key update) due;
  update hapax.step set request = null, result = null, refusal = null where operation_id = any(ids);
  update hapax.resolution
    set evidence = 'erased', reason = 'erased', result = case when result is not null then '{}'::jsonb end,
        verdict_says = case when verdict_says is not null then 'erased' end
    where operation_id = any(ids);
  delete from hapax.trouble where operation_id = any(ids);
  delete from hapax.arrival where operation_id = any(ids);
  update hapax.awaited a set evidence = '{}', sameness = ''
    from hapax.operation o
    where o.id = any(ids) and o.sweep_at is null and a.operation_id = o.id and a.outcome = 'arrived';
  delete from hapax.stray s using hapax.operation o
    where o.id = any(ids) and o.sweep_at is null and s.operation_id = o.id;
  -- Copies of the answers end with this (0038): in memory and in Redis, in every process.
  update hapax.operation o
    set request = '{}', answer_headers = null, answer_body = null, result = null, refusal = null, ending = null,
        fingerprint = '', fingerprint_version = 0, erased_at = case when o.sweep_at is null then now() end
    where o.id = any(ids);

  select coalesce(array_agg(due.id), '{}') into orders from (
    select c.id from hapax.customer_order c
    where c.tenant = wish.tenant and c.environment = wish.environment and c.created_at <= wish.requested_at
      -- The former build's orders name no subject.
      and (c.subject = wish.subject or c.subject is null and c.operation_id in (
        select o.id from hapax.operation o
        where o.tenant = wish.tenant and o.environment = wish.environment and o.subject = wish.subject))
      and c.state not in ('pending', 'cancelling')
      and (c.email is not null or c.promo_buyer is not null)
    order by c.id limit at_most for no key update) due;
  update hapax.customer_order set email = null, promo_buyer = null where id = any(orders);
  update hapax.store_credit set email = null where order_id = any(orders);

  messages := array(
    select o.id from hapax.outbox o
    where o.operation_id = any(ids)
      or o.tenant = wish.tenant and o.environment = wish.environment and o.channel in ('event', 'mail', 'sms')
        and o.aggregate_type = 'order' and o.aggregate_id = any(orders));
  perform hapax.empty_messages(messages);
  -- Behind the messages: what a consumer keeps meanwhile has waited for them, and is seen now.
  perform hapax.erase_consumed(wish.tenant, wish.environment, ids, messages);
  return cardinality(ids) + cardinality(orders) + hapax.erase_accounts_left(of_erasure, at_most);
end $$;
comment on function hapax.erase_batch(text, integer) is
  'Erases one batch of what has settled, and gives how many operations, orders and old accounts that were; 0: nothing can be erased now.';

comment on column hapax.webhook_secret.secret is
  'sealed, for its endpoint alone, or plain where it was written before secrets were sealed; null once it signs nothing any more';

-- Each event plans a delivery for each endpoint that wants it, in the transaction of its step. So there are no more than that one takes
-- without being noticed: 50 rows take about a millisecond.
create function hapax.limit_endpoints() returns trigger language plpgsql as $$
declare
  most constant integer := 50;
begin
  -- Of two at once, the second one sees the first.
  perform pg_advisory_xact_lock(hashtextextended('webhook_endpoint/' || new.tenant || '/' || new.environment, 0));
  -- A retry makes no second one.
  if exists (select from hapax.webhook_endpoint e where e.id = new.id) then
    return new;
  end if;
  if (select count(*) from hapax.webhook_endpoint e
      where e.tenant = new.tenant and e.environment = new.environment and e.deleted_at is null) >= most
  then
    raise exception using errcode = 'check_violation', constraint = 'tenant_has_few_endpoints',
      message = format('There are %s endpoints for webhooks, and no more may be created', most);
  end if;
  return new;
end $$;
comment on function hapax.limit_endpoints is 'A tenant has 50 endpoints for webhooks at most, in each environment.';
create trigger tenant_has_few_endpoints before insert on hapax.webhook_endpoint
  for each row execute function hapax.limit_endpoints();
