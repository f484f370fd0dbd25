-- How money is booked, and how what does not add up is found.
set local row_security = on;

comment on column hapax.inbox_event.body is 'as it was signed, without the secrets of buyers';

-- Lists a difference once, or says what it is now. One that a person has dealt with stays dealt with; one that was over by
-- itself is listed again.
create function hapax.list_difference(
  of_tenant text, of_environment text, of_kind text, of_provider text, of_object text, of_fact text, of_payment text, of_order text,
  of_operation text, ours bigint, theirs bigint, in_currency text, said text)
returns boolean language plpgsql as $$
begin
  insert into hapax.money_difference as d (id, tenant, environment, kind, provider, object, fact, payment, order_id, operation_id,
      ours_minor, theirs_minor, currency, says)
    values (
      'df_' || left(encode(sha256(convert_to(concat_ws(' ', of_provider, of_object, of_kind, of_fact), 'utf8')), 'hex'), 26),
      of_tenant, of_environment, of_kind, of_provider, of_object, of_fact, of_payment, of_order, of_operation, ours, theirs,
      in_currency, said)
    on conflict (provider, object, kind, fact) do update
      set looked_at = now(), ours_minor = excluded.ours_minor, theirs_minor = excluded.theirs_minor, says = excluded.says,
        ended_at = null, reason = null
      where d.ended_by is null;
  return found;
end $$;

-- Books what a provider says about money, each fact once, and lets the orders follow. Told again it changes nothing, in whatever
-- order it is told. What does not say whose it is belongs to whom its payment belongs.
--   confirmed   the provider's own ledger says so; otherwise an event has set off a look, and an order that is not here is ignored
--   booked      how many facts were new
--   unresolved  payments of which nothing here says whose they are
--   unassigned  what is of no payment, and of nothing here
create function hapax.book_facts(of_provider text, facts jsonb, confirmed boolean)
returns table (booked integer, unresolved text[], unassigned integer) language plpgsql as $$
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

-- The order follows a refund that the provider has made. It may be ours, and be told before our own call was answered; or
-- somebody has made it at the provider.
create function hapax.follow_refund(
  of_provider text, of_tenant text, of_environment text, of_object text, of_order text, of_operation text, amount bigint,
  in_currency text, at timestamptz)
returns void language plpgsql as $$
begin
  update hapax.order_refund set state = 'made', object = of_object, ended_at = at
    where operation_id = of_operation and state = 'asked';
  if not found then
    perform from hapax.customer_order where id = of_order for no key update;
    -- No more than was paid: where a refund of ours still holds the rest, the provider refuses that one, and the next look
    -- finds the room.
    insert into hapax.order_refund (id, tenant, environment, order_id, amount_minor, currency, state, object, ended_at)
      select 'rf_' || left(encode(sha256(convert_to(of_object, 'utf8')), 'hex'), 26), of_tenant, of_environment, of_order, amount,
        in_currency, 'made', of_object, at
      from hapax.customer_order o where o.id = of_order and o.given_back_minor + amount <= o.amount_minor
      on conflict do nothing;
  end if;
  -- The provider's ledger is read from its end, so a failure may be known before the refund.
  if exists (select from hapax.money_fact f where f.provider = of_provider and f.object = of_object and f.kind = 'refund_failed') then
    perform hapax.follow_failed_refund(of_provider, of_object, at);
  end if;
end $$;

-- The buyer's bank has sent the money back: it is the buyer's, and with us. No program knows where else to send it.
create function hapax.follow_failed_refund(of_provider text, of_object text, at timestamptz) returns void language plpgsql as $$
declare
  failed record;
begin
  update hapax.order_refund set state = 'failed', ended_at = at where object = of_object and state = 'made' returning * into failed;
  if found then
    perform hapax.list_difference(failed.tenant, failed.environment, 'refund-failed', of_provider, of_object, '', null,
      failed.order_id,
      coalesce(failed.operation_id, (select operation_id from hapax.customer_order where id = failed.order_id)),
      failed.amount_minor, 0, failed.currency,
      format('The bank has sent the refund %s of order %s back: pay the buyer in another way.', of_object, failed.order_id));
  end if;
end $$;

-- Money that is with us for an order that nobody has: captured, and neither given back nor taken by the bank.
create function hapax.money_held(of_order text) returns bigint language sql stable as $$
  select coalesce(sum(case when kind in ('captured', 'refund_failed', 'dispute_won') then amount_minor
                           when kind in ('refunded', 'disputed') then -amount_minor else 0 end), 0)::bigint
  from hapax.money_fact where order_id = of_order
$$;

-- Compares what was booked with what the provider's ledger has shown, once that has been read up to now. What is over ends by
-- itself. A thousand of a kind are listed at once; the next pass lists more.
--   late_ms  how long the provider may take to show a movement
create function hapax.find_differences(of_provider text, read_from timestamptz, late_ms double precision)
returns void language plpgsql as $$
declare
  late interval := late_ms * interval '1 millisecond';
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
      limit 1000) as f;
  -- An order is released within a day of its payment, and a cancelled one is asked for again by its own facts.
  perform hapax.list_difference(held.tenant, held.environment, 'money-held', of_provider, held.payment, '', held.payment, held.id,
      held.operation_id, 0, held.money, held.currency,
      format('Order %s was %s, and %s %s of %s are still with us: refund them at the provider.', held.id, held.state, held.money,
        held.currency, held.payment))
    from (
      select o.id, o.tenant, o.environment, o.operation_id, o.state, o.currency, f.payment, hapax.money_held(o.id) as money
      from (
        select distinct order_id, payment from hapax.money_fact
        where provider = of_provider and recorded_at between now() - interval '7 days' and now() - late
          and kind in ('captured', 'refund_failed', 'dispute_won') and order_id is not null) as f
        join hapax.customer_order o on o.id = f.order_id
      where o.state in ('released', 'cancelled') and not exists (
        select from hapax.money_difference d
        where d.order_id = o.id and d.kind = 'refund-failed' and d.provider = of_provider)
      limit 1000) as held
    where held.money > 0;
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

alter view hapax.trouble_now rename to step_trouble_now;
comment on view hapax.step_trouble_now is 'Why open operations make no progress.';
create view hapax.trouble_now with (security_invoker = true) as
select operation_id, tenant, flow, step, undoing, says, since, tries, next_try_at, needs_person from hapax.step_trouble_now
union all
select d.operation_id, d.tenant, o.flow, 'money', false, min(d.says), min(d.since), 1, max(d.looked_at) + interval '1 hour', true
from hapax.money_difference d join hapax.operation o on o.id = d.operation_id
where d.ended_at is null
  and (o.settled_at is not null or not exists (select from hapax.step_trouble_now t where t.operation_id = d.operation_id))
group by d.operation_id, d.tenant, o.flow;
comment on view hapax.trouble_now is 'Which operations need attention: they make no progress, or their money does not add up.';
grant select on hapax.trouble_now to hapax_app, hapax_upkeep;
