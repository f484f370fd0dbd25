-- Who buys is known by a keyed digest now, since e-mail addresses are sealed. After a rotation of keys the former digests still
-- count, and so do the addresses themselves in rows from before. A function, because each of its queries sees what was committed
-- while the statement that calls it waited for the code's lock.
create function hapax.promo_used_by(of_tenant text, of_environment text, of_code text, buyers text[])
returns boolean language plpgsql as $$
begin
  return exists (
    select from hapax.customer_order
    where tenant = of_tenant and environment = of_environment and promo = of_code and promo_buyer = any(buyers)
      and state <> 'released');
end $$;
comment on function hapax.promo_used_by(text, text, text, text[]) is
  'Whether a buyer uses a promo code, under any name that the buyer may be stored under.';
comment on column hapax.customer_order.email is 'sealed; it opens with the place of its checkout''s field `email`';
comment on column hapax.customer_order.promo_buyer is
  'who uses a code that each buyer may use once: a keyed digest of the e-mail address in lower case';
comment on column hapax.store_credit.email is 'sealed, as in the order';

-- Erasure finds what belongs to a subject. An order outlives the ledger's row, so it names its subject itself.
alter table hapax.customer_order add column subject text;
comment on column hapax.customer_order.subject is 'who asked for the checkout; null where the former build has made it, or that was forgotten before 0043';
set local row_security = on;
set local role hapax_upkeep;
-- hapax_upkeep may change nothing of an order but what its refunds hold.
reset role;
grant update (subject) on hapax.customer_order to hapax_upkeep;
set local role hapax_upkeep;
update hapax.customer_order c set subject = o.subject from hapax.operation o where o.id = c.operation_id;
reset role;
revoke update (subject) on hapax.customer_order from hapax_upkeep;
create index order_of_subject on hapax.customer_order (tenant, environment, subject);

alter table hapax.operation add column erased_at timestamptz;
comment on column hapax.operation.erased_at is
  'since when nothing is left of its request, its steps and its answer; its fingerprint went with them (version 0)';

-- In two parts, so that no claim takes one of them for the index of names: a claim says nothing of erasure.
create index operation_to_erase on hapax.operation (tenant, environment, subject, id) where erased_at is null;
create index operation_erased on hapax.operation (tenant, environment, subject) where erased_at is not null;

-- A subject whose data are to be erased: all that was claimed before `requested_at`.
create table hapax.erasure (
  operation_id text        not null primary key,
  tenant       text        not null,
  environment  text        not null check (environment in ('live', 'test')),
  subject      text        not null,
  requested_at timestamptz not null default clock_timestamp(),
  finished_at  timestamptz,
  due_at       timestamptz not null default now() + interval '1 minute'
);
comment on table hapax.erasure is 'A subject whose data are to be erased: all that was claimed before `requested_at`.';
comment on column hapax.erasure.operation_id is 'the operation that asks for it; it outlives that one''s row';
comment on column hapax.erasure.finished_at is 'when the last operation was erased; null: some are still open';
comment on column hapax.erasure.due_at is 'when upkeep looks again for operations that have settled meanwhile';
create index erasure_unfinished on hapax.erasure (due_at) where finished_at is null;
alter table hapax.erasure enable row level security;
alter table hapax.erasure force row level security;
create policy acting_roles on hapax.erasure as restrictive using (current_user in ('hapax_app', 'hapax_upkeep'));
create policy tenant_only on hapax.erasure to hapax_app using (tenant = hapax.current_tenant());
create policy all_tenants on hapax.erasure to hapax_upkeep using (true);
grant select, insert, update (finished_at) on hapax.erasure to hapax_app;
grant select, update (due_at) on hapax.erasure to hapax_upkeep;

-- What an erasure overwrites, besides what each step of an operation may write anyway.
grant delete on hapax.arrival, hapax.stray to hapax_app;
grant update (evidence, sameness) on hapax.awaited to hapax_app;
grant update (payload) on hapax.outbox to hapax_app;
grant update (email) on hapax.store_credit to hapax_app;
create index outbox_of_operation on hapax.outbox (operation_id);

-- A message whose subject's data were erased before it left goes to nobody, and nobody has to look at it.
alter table hapax.delivery drop constraint delivery_state_check;
alter table hapax.delivery add constraint delivery_state_check
  check (state in ('due', 'sending', 'sent', 'failed', 'erased'));
comment on column hapax.delivery.state is
  'sending: being handed over, or its sender died meanwhile; failed: not tried again until a person replays it; erased: never sent';

-- Erases one batch of what has settled, and gives how many operations and orders that were; 0: nothing is left that can be erased
-- now. It may be repeated, and run by several at once: rows are locked in the order of their ids, and each is erased once.
create function hapax.erase_batch(of_erasure text, at_most integer) returns integer language plpgsql as $$
declare
  wish record;
  ids text[];
  orders text[];
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

  -- A sender that has one of them can no longer write, and asks before it hands it over: the fence is another one.
  with messages as (
    select o.id from hapax.outbox o
    where o.operation_id = any(ids)
      or o.tenant = wish.tenant and o.environment = wish.environment and o.channel in ('event', 'mail', 'sms')
        and o.aggregate_type = 'order' and o.aggregate_id = any(orders)
    order by o.id for no key update
  ), emptied as (
    update hapax.outbox o set payload = '{"erased": true}' from messages m where o.id = m.id
  ), unsent as (
    select d.id from hapax.delivery d where d.message_id in (select m.id from messages m) and d.state <> 'sent'
    order by d.id for no key update
  )
  update hapax.delivery d set state = 'erased', fence = d.fence + 1, code = null, detail = null, changed_at = now()
    from unsent u where d.id = u.id;
  return cardinality(ids) + cardinality(orders);
end $$;
comment on function hapax.erase_batch(text, integer) is
  'Erases one batch of what has settled, and gives how many operations and orders that were; 0: nothing can be erased now.';

-- Erases the first batch, and gives how far the erasure has come. What is left, upkeep erases.
create function hapax.erase_first(of_erasure text, at_most integer) returns jsonb language plpgsql as $$
begin
  perform hapax.erase_batch(of_erasure, at_most);
  return (
    select jsonb_build_object(
      'erased', (
        select count(*) from hapax.operation o
        where o.tenant = e.tenant and o.environment = e.environment and o.subject = e.subject
          and o.erased_at is not null and o.created_at <= e.requested_at),
      'open', (
        select count(*) from hapax.operation o
        where o.tenant = e.tenant and o.environment = e.environment and o.subject = e.subject
          and o.erased_at is null and o.flow <> 'erasure' and o.created_at <= e.requested_at))
    from hapax.erasure e where e.operation_id = of_erasure);
end $$;
comment on function hapax.erase_first(text, integer) is
  'Erases the first batch, and gives how far the erasure has come. What is left, upkeep erases.';
