import type { CheckoutSteps } from '../activities/checkout.ts';
import { checkoutFlow } from './checkout.flow.ts';
import { awaitStep } from './engine/await-step.ts';
import { operation } from './engine/operation.ts';
import { finish, step } from './engine/step.ts';

/** A cart is reserved, paid and turned into an order. A failure before the capture gives everything back. */
export const checkout = operation<typeof checkoutFlow, CheckoutSteps>(checkoutFlow, async (story) => {
  const { cartId, items, email, expected, promo, currency, paymentMethod, returnUrl } = story.request;
  const reserved = await step(story, 'reserve', { cartId, items, email, expected, promo, currency });
  const { orderId, amount, discount } = reserved;
  // Written out, since a result that comes from the ledger has its members in another order.
  const result = { orderId, amount, ...(discount === undefined ? {} : { discount }) };
  // What costs nothing is nobody's payment.
  if (amount.minor === 0) return await finish(story, 'complete', { paymentIntent: null }, result);
  const { paymentIntent } = await step(story, 'openPayment', { amount, orderId });
  const { asksBuyer } = await step(story, 'authorise', { paymentIntent, paymentMethod, buyer: { returnUrl } });
  if (asksBuyer) {
    await awaitStep(story, 'authenticate');
    await step(story, 'decide', { paymentIntent });
  }
  await step(story, 'capture', { paymentIntent, amount });
  await finish(story, 'complete', { paymentIntent }, { ...result, paymentIntent });
});
