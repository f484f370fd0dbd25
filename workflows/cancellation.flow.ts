import { z } from 'zod';
import { days, hours, minutes } from './operation/duration.ts';
import { defineFlow } from './operation/flow.ts';
import { orderFailures } from './order.failures.ts';
import { refundFailures } from './refund.failures.ts';
import { refundFlow } from './refund.flow.ts';

/** Takes a paid order back: the money that is left, the items, and what its payment has set off. */
export const cancellationFlow = defineFlow({
  name: 'cancellation',
  version: 1,
  title: 'Cancel a paid order',
  route: 'orders/{orderId}/cancel',
  request: z
    .strictObject({
      orderId: z.string().regex(/^ord_[0-9a-z]{26}$/, "give the id of an order: 'ord_' and 26 characters"),
      /** For people: it stands at the order's refund and at the provider. */
      reason: z.string().trim().min(1).max(500).optional(),
    })
    .meta({ examples: [{ orderId: 'ord_00000000000000000000000000', reason: 'The buyer has changed their mind.' }] }),
  result: z
    .object({
      orderId: z.string(),
      /** What was given back by this; none where all was before. */
      refunded: z.object({ minor: z.int(), currency: z.string() }),
      providerRefund: z.string().optional(),
    })
    .meta({
      examples: [
        {
          orderId: 'ord_00000000000000000000000000',
          refunded: { minor: 2500, currency: 'eur' },
          providerRefund: 're_4711',
        },
      ],
    }),
  intent: ['orderId', 'reason'],
  keyScope: 'subject',
  answers: 'outcome',
  workflow: 'tells',
  failures: { 'order-pending': orderFailures['order-pending'], ...refundFailures },
  renewsAfter: [],
  patience: hours(1),
  retries: 'interactive',
  undoPatience: hours(1),
  personAfter: minutes(15),
  retryHorizon: days(3),
  retention: refundFlow.retention,
  copies: { lifetime: days(3), because: 'they are repeated as refunds are' },
  steps: {
    withdraw: { effect: 'transaction', says: 'Taking the order back', undo: 'own', refusable: true },
    giveBack: refundFlow.steps.giveBack,
    record: { effect: 'transaction', says: 'Putting the items back', undo: 'nothing', refusable: false },
  },
});
