import { z } from 'zod';
import { moneyNews } from './money.events.ts';
import { days, hours, minutes, seconds } from './operation/duration.ts';
import { defineFlow } from './operation/flow.ts';

/** Books what has become of a payment, whatever event has told of it: the event only says that there is something to look at. */
export const booksFlow = defineFlow({
  name: 'books',
  version: 1,
  title: 'Book what has become of money',
  request: z
    .strictObject({
      /** By the provider's id. */
      payment: z.string().min(1).max(255).optional(),
      payout: z.string().min(1).max(255).optional(),
    })
    .meta({ examples: [{ payment: 'pi_4711' }] }),
  result: z.object({ facts: z.int() }),
  intent: ['payment', 'payout'],
  keyScope: 'subject',
  answers: 'outcome',
  workflow: 'tells',
  on: {
    from: 'stripe',
    types: [
      // An authorisation was captured; Stripe has booked a capture later than it answered. `payment_intent.succeeded` may
      // come before the fee is known, and other flows act on it.
      'charge.captured',
      'charge.updated',
      'charge.refunded',
      'charge.refund.updated',
      'refund.created',
      'refund.updated',
      'refund.failed',
      'charge.dispute.created',
      'charge.dispute.closed',
      'charge.dispute.funds_withdrawn',
      'charge.dispute.funds_reinstated',
      'payout.paid',
    ],
    request: moneyNews,
  },
  renewsAfter: [],
  // The provider may be away for a day. What is not booked by then, the reconciler books.
  patience: hours(24),
  // Nobody waits for it, and what is booked later is booked as well: from seconds to minutes, 300 questions in a day.
  retries: { firstPause: seconds(5), growth: 2, longestPause: minutes(5), jitter: { from: 0.5, to: 1.5 } },
  undoPatience: hours(1),
  personAfter: hours(1),
  retryHorizon: days(3),
  retention: {
    response: days(30),
    tombstone: days(400),
    because: 'Stripe repeats an event for three days, and a person may have it sent again for 30',
  },
  steps: {
    look: {
      effect: 'natural',
      says: 'Asking the provider what has become of the money',
      undo: 'nothing',
      refusable: false,
      placement: 'outside',
      calls: 'payments',
    },
    record: { effect: 'transaction', says: 'Booking it', undo: 'nothing', refusable: false },
  },
});
