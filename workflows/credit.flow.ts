import { z } from 'zod';
import { days, hours, minutes } from './operation/duration.ts';
import { defineFlow } from './operation/flow.ts';
import { orderFailures } from './order.failures.ts';
import { paymentOf } from './payment.events.ts';

/** Credits the buyer of an order, once, when its payment has succeeded. */
export const creditFlow = defineFlow({
  name: 'credit',
  version: 1,
  title: 'Credit the buyer of a paid order',
  request: z.strictObject({ orderId: z.string(), paymentIntent: z.string() }).meta({
    examples: [{ orderId: 'ord_00000000000000000000000000', paymentIntent: 'pi_4711' }],
  }),
  result: z.object({ creditId: z.string() }),
  intent: ['orderId', 'paymentIntent'],
  keyScope: 'subject',
  answers: 'outcome',
  workflow: 'never',
  on: {
    from: 'stripe',
    types: ['payment_intent.succeeded'],
    request(event) {
      const payment = paymentOf(event);
      return payment && { orderId: payment.order, paymentIntent: payment.paymentIntent };
    },
  },
  failures: orderFailures,
  refusals: ['order-pending', 'order-not-paid', 'object-unknown'],
  renewsAfter: [],
  patience: minutes(10),
  undoPatience: hours(1),
  personAfter: minutes(15),
  retryHorizon: days(3),
  retention: {
    response: days(30),
    tombstone: days(400),
    because: 'Stripe repeats an event for three days, and a person may have it sent again for 30',
  },
  steps: {
    credit: { effect: 'transaction', says: 'Crediting the buyer', undo: 'nothing', refusable: true },
  },
});
