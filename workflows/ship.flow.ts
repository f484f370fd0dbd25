import { z } from 'zod';
import { days, hours, minutes } from './operation/duration.ts';
import { defineFlow } from './operation/flow.ts';
import { orderFailures } from './order.failures.ts';
import { paymentOf } from './payment.events.ts';

/** Has an order sent, once, when its payment has succeeded. */
export const shipFlow = defineFlow({
  name: 'ship',
  version: 1,
  title: 'Have a paid order sent',
  request: z.strictObject({ orderId: z.string(), paymentIntent: z.string() }).meta({
    examples: [{ orderId: 'ord_00000000000000000000000000', paymentIntent: 'pi_4711' }],
  }),
  result: z.object({ shipmentId: z.string() }),
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
    request: { effect: 'transaction', says: 'Asking for the shipment of the order', undo: 'nothing', refusable: true },
  },
});
