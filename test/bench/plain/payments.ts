import { ApplicationFailure } from '@temporalio/activity';
import Stripe from 'stripe';
import type { Amount } from './cart.ts';

export type Payments = ReturnType<typeof payments>;

/** The payment of the plain checkout. Keys come from the order, whose id is the workflow's: a retry pays once. */
export function payments(stripe: Stripe) {
  return {
    async authorise(asked: {
      orderId: string;
      amount: Amount;
      paymentMethod: string;
    }): Promise<{ paymentIntent: string }> {
      const { orderId, amount, paymentMethod } = asked;
      try {
        const { id } = await stripe.paymentIntents.create(
          {
            amount: amount.minor,
            currency: amount.currency,
            capture_method: 'manual',
            metadata: { order: orderId },
          },
          { idempotencyKey: `${orderId}-create` },
        );
        await stripe.paymentIntents.confirm(
          id,
          { payment_method: paymentMethod },
          { idempotencyKey: `${orderId}-confirm` },
        );
        return { paymentIntent: id };
      } catch (error) {
        if (error instanceof Stripe.errors.StripeCardError)
          throw ApplicationFailure.nonRetryable(error.message, 'CardDeclined');
        throw error;
      }
    },

    async capture(asked: { orderId: string; paymentIntent: string; amount: Amount }): Promise<void> {
      const { orderId, paymentIntent, amount } = asked;
      await stripe.paymentIntents.capture(
        paymentIntent,
        { amount_to_capture: amount.minor },
        { idempotencyKey: `${orderId}-capture` },
      );
    },
  };
}
