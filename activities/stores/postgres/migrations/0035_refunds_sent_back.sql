-- A refund that staff have made and the bank has sent back is told to a person, also where our own refunds left no room for it
-- before we heard of it.
create or replace function hapax.follow_refund(
  of_provider text, of_tenant text, of_environment text, of_object text, of_order text, of_operation text,
  amount bigint, in_currency text, at timestamptz)
returns void language plpgsql as $$
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
        format('The bank has sent the refund %s of order %s back: pay the buyer in another way.', of_object, of_order));
    end if;
  end if;
  if sent_back then
    perform hapax.follow_failed_refund(of_provider, of_object, at);
  end if;
end $$;
