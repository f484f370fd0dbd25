-- Money that is still with us is found whenever its order was paid, however many orders there are, and where nobody could undo a
-- checkout. A refund that failed before it had moved is booked on both sides and missed by nobody.
create index order_cancelled_at on hapax.customer_order (cancelled_at) where cancelled_at is not null;

create or replace function hapax.book_facts(of_provider text, facts jsonb, confirmed boolean)
returns table (booked integer, unresolved text[], unassigned integer) language plpgsql
as $$
declare
  told record;
begin
  booked := 0;
  unresolved := '{}';
  unassigned := 0;
  if confirmed then
    update hapax.money_fact f set confirmed_at = now()
      from jsonb_to_recordset(facts) as t (object text, kind text, amount bigint, currency text)
      where f.provider = of_provider and f.object = t.object and f.kind = t.kind and f.amount_minor = t.amount
        and f.currency = t.currency and f.confirmed_at is null;
  end if;
  for told in
    select t.object, t.kind, t.amount, t.currency, t.payment, t.at, t."order" as named_order, o.id as order_id,
      coalesce(t.tenant, o.tenant) as tenant, coalesce(o.environment, t.environment) as environment,
      coalesce(t.operation, c.operation_id) as operation, f.object is not null as known, f.amount_minor as ours,
      f.operation_id as our_operation, f.amount_minor <> t.amount or f.currency <> t.currency as differs
    from jsonb_to_recordset(facts) as t (tenant text, environment text, object text, kind text, amount bigint,
        currency text, payment text, "order" text, operation text, at timestamptz)
      left join hapax.money_fact f on f.provider = of_provider and f.object = t.object and f.kind = t.kind
      left join hapax.money_fact c on c.provider = of_provider and c.object = t.payment and c.kind = 'captured'
      -- `coalesce` would read all orders: behind row-level security it is no condition for an index.
      left join hapax.customer_order o on o.id = case when t."order" is null then c.order_id else t."order" end
        and o.tenant = case when t.tenant is null then c.tenant else t.tenant end
        and (confirmed or o.environment = t.environment)
    where f.object is null or f.amount_minor <> t.amount or f.currency <> t.currency
      or (t.kind = 'refunded' and o.id is not null
          and not exists (select from hapax.order_refund r where r.object = t.object))
    order by t.at, t.object, t.kind
  loop
    if told.tenant is null or (told.order_id is null and told.kind <> 'paid_out' and (not confirmed
      -- Others who share the account may name tenants of their own.
      or not exists (select from hapax.operation p where p.tenant = told.tenant))) then
      if told.payment is null then
        unassigned := unassigned + 1;
      elsif told.payment <> all (unresolved) then
        unresolved := unresolved || told.payment;
      end if;
      continue;
    end if;
    if told.differs then
      perform hapax.list_difference(told.tenant, told.environment, 'amount-differs', of_provider, told.object, told.kind,
        told.payment, told.order_id, coalesce(told.our_operation, told.operation), told.ours, told.amount, told.currency,
        format('We have booked %s of %s as %s, and the provider has %s %s.', told.ours, told.object, told.kind, told.amount,
          told.currency));
    elsif not told.known then
      -- Whoever records a refund locks its row before it books: in the other order the two would wait for each other.
      if told.kind = 'refunded' then
        perform from hapax.order_refund r
          where r.operation_id = told.operation and r.state = 'asked' or r.object = told.object
          order by r.id for no key update;
      end if;
      insert into hapax.money_fact (provider, object, kind, tenant, environment, amount_minor, currency, payment, order_id,
          operation_id, happened_at, confirmed_at)
        values (of_provider, told.object, told.kind, told.tenant, told.environment, told.amount, told.currency, told.payment,
          told.order_id, told.operation, told.at, case when confirmed then now() end)
        on conflict do nothing;
      if found then
        booked := booked + 1;
      end if;
      if told.kind = 'captured' and told.order_id is null then
        perform hapax.list_difference(told.tenant, told.environment, 'unknown-payment', of_provider, told.object, '', told.payment,
          null, told.operation, null, told.amount, told.currency,
          format('%s was paid for order %s, which is not here.', told.payment, coalesce(told.named_order, 'of no name')));
      end if;
    end if;
    if told.kind = 'refunded' and told.order_id is not null then
      perform hapax.follow_refund(of_provider, told.tenant, told.environment, told.object, told.order_id, told.operation,
        told.amount, told.currency, told.at);
    elsif told.kind = 'refund_failed' then
      perform hapax.follow_failed_refund(of_provider, told.object, told.at);
    end if;
  end loop;
  return next;
end $$;

create or replace function hapax.find_differences(of_provider text, read_from timestamptz, late_ms double precision)
returns void language plpgsql
as $$
declare
  late interval := late_ms * interval '1 millisecond';
  since timestamptz := least(read_from, now() - interval '7 days');
begin
  perform hapax.list_difference(f.tenant, f.environment, 'missing-at-provider', f.provider, f.object, f.kind, f.payment, f.order_id,
      f.operation_id, f.amount_minor, null, f.currency,
      format('We have booked %s as %s, and the provider''s ledger does not show it.', f.object, f.kind))
    from (
      select * from hapax.money_fact u
      where u.provider = of_provider and u.confirmed_at is null and u.recorded_at < now() - late
        and u.happened_at >= read_from + interval '1 minute' and not exists (
          select from hapax.money_difference d
          where d.provider = u.provider and d.object = u.object and d.fact = u.kind and d.kind in ('amount-differs', 'missing-at-provider')
            and (d.ended_at is null or d.ended_by is not null))
        -- A refund that failed while it was pending has moved nothing, and is in no ledger of the provider.
        and not (u.kind in ('refunded', 'refund_failed') and exists (
          select from hapax.money_fact p
          where p.provider = u.provider and p.object = u.object and p.confirmed_at is null
            and p.kind = case u.kind when 'refunded' then 'refund_failed' else 'refunded' end))
      limit 1000) as f;
  -- Orders whose money has moved, or which were cancelled, since the last pass or in the last week. What a person was told of
  -- each is not told again: a refund that was sent back, or the whole.
  perform hapax.list_difference(held.tenant, held.environment, 'money-held', of_provider, held.payment, '', held.payment, held.id,
      held.operation_id, 0, held.money, held.currency,
      format('Order %s is %s, and %s %s of %s are still with us: refund them at the provider.', held.id, held.state, held.money,
        held.currency, held.payment))
    from (
      select o.id, o.tenant, o.environment, o.operation_id, o.state, o.currency, o.payment_intent as payment, m.money
      from (
          select order_id from hapax.money_fact
            where provider = of_provider and recorded_at between since and now() - late and order_id is not null
              and kind in ('captured', 'refund_failed', 'dispute_won')
          union
          select id from hapax.customer_order where cancelled_at between since and now() - late) as moved
        join hapax.customer_order o on o.id = moved.order_id
        cross join lateral (
          select hapax.money_held(o.id) - coalesce(sum(d.ours_minor), 0)::bigint as money from hapax.money_difference d
          where d.order_id = o.id and d.kind = 'refund-failed' and d.provider = of_provider) as m
      where (o.state in ('released', 'cancelled')
          or o.state = 'pending' and exists (select from hapax.operation p where p.id = o.operation_id and p.settled_at is not null))
        and exists (select from hapax.money_fact f where f.order_id = o.id and f.provider = of_provider)
        and m.money > 0
        and not exists (
          select from hapax.money_difference d
          where d.order_id = o.id and d.kind = 'money-held' and d.provider = of_provider
            and (d.ended_at is null or d.ended_by is not null))
      limit 1000) as held;
  update hapax.money_difference d set ended_at = now(), reason = 'It is over by itself.'
    where d.provider = of_provider and d.ended_at is null and case d.kind
      when 'missing-at-provider' then not exists (
        select from hapax.money_fact f
        where f.provider = d.provider and f.object = d.object and f.kind = d.fact and f.confirmed_at is null)
      when 'amount-differs' then exists (
        select from hapax.money_fact f
        where f.provider = d.provider and f.object = d.object and f.kind = d.fact and f.amount_minor = d.theirs_minor)
      when 'money-held' then hapax.money_held(d.order_id) <= 0
      else false end;
end $$;

-- Both ways are named: who reads of one only may pay what a colleague has refunded.
create or replace function hapax.follow_refund(
  of_provider text, of_tenant text, of_environment text, of_object text, of_order text, of_operation text,
  amount bigint, in_currency text, at timestamptz)
returns void language plpgsql
as $$
declare
  sent_back boolean := exists (
    select from hapax.money_fact f where f.provider = of_provider and f.object = of_object and f.kind = 'refund_failed');
begin
  update hapax.order_refund set state = 'made', object = of_object, ended_at = at
    where operation_id = of_operation and state = 'asked';
  if not found then
    perform from hapax.customer_order where id = of_order for no key update;
    -- No more than was paid: where a refund of ours still holds the rest, the provider refuses that one, and the next look
    -- finds the room. One that was sent back needs none.
    insert into hapax.order_refund (id, tenant, environment, order_id, amount_minor, currency, state, object, ended_at)
      select 'rf_' || left(encode(sha256(convert_to(of_object, 'utf8')), 'hex'), 26), of_tenant, of_environment, of_order, amount,
        in_currency, case when sent_back then 'failed' else 'made' end, of_object, at
      from hapax.customer_order o where o.id = of_order and (sent_back or o.given_back_minor + amount <= o.amount_minor)
      on conflict do nothing;
    if found and sent_back then
      perform hapax.list_difference(of_tenant, of_environment, 'refund-failed', of_provider, of_object, '', null, of_order,
        coalesce(of_operation, (select operation_id from hapax.customer_order where id = of_order)), amount, 0, in_currency,
        format('The refund %s of order %s has not reached the buyer: refund again with a new key, or pay the buyer in another way. See first that nobody has.', of_object, of_order));
    end if;
  end if;
  if sent_back then
    perform hapax.follow_failed_refund(of_provider, of_object, at);
  end if;
end $$;

create or replace function hapax.follow_failed_refund(of_provider text, of_object text, at timestamptz)
returns void language plpgsql
as $$
declare
  failed record;
begin
  update hapax.order_refund set state = 'failed', ended_at = at where object = of_object and state = 'made' returning * into failed;
  if found then
    perform hapax.list_difference(failed.tenant, failed.environment, 'refund-failed', of_provider, of_object, '', null,
      failed.order_id,
      coalesce(failed.operation_id, (select operation_id from hapax.customer_order where id = failed.order_id)),
      failed.amount_minor, 0, failed.currency,
      format('The refund %s of order %s has not reached the buyer: refund again with a new key, or pay the buyer in another way. See first that nobody has.', of_object, failed.order_id));
  end if;
end $$;
