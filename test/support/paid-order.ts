import { paymentClient } from './payment-client.ts';
import type { World } from './world.ts';

type PaidOrder = { readonly checkout: string; readonly orderId: string; readonly payment: string };

/** A paid order of a tenant, with its payment at the provider, as a checkout leaves them. Repeatable. @param name of 26 characters */
export async function paidOrder(world: World, tenant: string, name: string): Promise<PaidOrder> {
  const [checkout, orderId] = [`op_${name}`, `ord_${name}`];
  const stripe = paymentClient(world);
  const { id: payment } = await stripe.paymentIntents.create(
    {
      ...{ amount: 2500, currency: 'eur', payment_method: 'pm_card_visa', confirm: true },
      metadata: { operation: checkout, tenant, order: orderId },
    },
    { idempotencyKey: `${tenant} ${name}` },
  );
  await world.sql(
    `insert into hapax.customer_order (id, tenant, environment, operation_id, cart_id, state, amount_minor, currency, payment_intent, paid_at)
     values ($1, $2, 'test', $3, $1, 'paid', 2500, 'eur', $4, now()) on conflict do nothing`,
    ...[orderId, tenant, checkout, payment],
  );
  return { checkout, orderId, payment };
}
