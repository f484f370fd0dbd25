import { proxyActivities } from '@temporalio/workflow';
import type { Cart } from './cart.ts';
import type { Orders } from './orders.ts';
import type { Payments } from './payments.ts';

const { placeOrder, authorise, capture, markPaid } = proxyActivities<Orders & Payments>({
  startToCloseTimeout: '10s',
  retry: {
    initialInterval: '300ms',
    backoffCoefficient: 2,
    maximumAttempts: 10,
    nonRetryableErrorTypes: ['OutOfStock', 'CardDeclined'],
  },
});

/** The same checkout as a careful author writes it on Temporal alone: four ordinary activities, each repeatable. */
export async function plainCheckout(cart: Cart) {
  const { orderId, amount } = await placeOrder(cart);
  const { paymentIntent } = await authorise({ orderId, amount, paymentMethod: cart.paymentMethod });
  await capture({ orderId, paymentIntent, amount });
  await markPaid({ orderId, paymentIntent });
  return { orderId, amount, paymentIntent };
}
