import type { CheckoutSteps } from '../activities/checkout.ts';
import { checkoutFlow } from './checkout.flow.ts';
import { operation } from './engine/operation.ts';
import { finish, step } from './engine/step.ts';

/** A cart is reserved, paid and turned into an order. A failure before the capture gives everything back. */
export const checkout = operation<typeof checkoutFlow, CheckoutSteps>(checkoutFlow, async (story) => {
  const { cartId, items, email, paymentMethod } = story.request;
  const { orderId, amount } = await step(story, 'reserve', { cartId, items, email });
  const { paymentIntent } = await step(story, 'openPayment', { amount, orderId });
  await step(story, 'authorise', { paymentIntent, paymentMethod });
  await step(story, 'capture', { paymentIntent, amount });
  await finish(story, 'complete', { paymentIntent }, { orderId, amount, paymentIntent });
});
