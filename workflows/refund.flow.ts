import { z } from 'zod';
import { days, hours, minutes } from './operation/duration.ts';
import { defineFlow } from './operation/flow.ts';
import { orderFailures } from './order.failures.ts';
import { refundFailures } from './refund.failures.ts';

const currencyWords = "give a currency's three letters in lower case, such as 'eur'";
const currency = z.string(currencyWords).regex(/^[a-z]{3}$/, currencyWords);

const minorWords = 'give whole minor units, 1 or more: 500 are 5.00 EUR';
const amountWords =
  'give an amount such as {"minor": 500, "currency": "eur"}, or leave it out to give back all that is left';
const amount = z.strictObject(
  { minor: z.int(minorWords).min(1, minorWords), currency },
  // A member that an amount has not is named, as everywhere.
  { error: ({ code }) => (code === 'invalid_type' ? amountWords : undefined) },
);

/** Gives back what a checkout has taken, or a part of it. Two keys are two refunds, also where they ask for the same. */
export const refundFlow = defineFlow({
  name: 'refund',
  version: 1,
  title: 'Give money of a checkout back',
  route: 'refunds',
  request: z
    .strictObject({
      checkout: z.string().regex(/^op_[0-9a-z]{26}$/, "give the id of a checkout: 'op_' and 26 characters"),
      /** By default all that is left. */
      amount: amount.optional(),
      /** For people: it stands at the order and at the provider. */
      reason: z.string().trim().min(1).max(500).optional(),
    })
    .meta({
      examples: [{ checkout: 'op_00000000000000000000000000', amount: { minor: 500, currency: 'eur' } }],
    }),
  result: z
    .object({
      refundId: z.string(),
      orderId: z.string(),
      amount: z.object({ minor: z.int(), currency: z.string() }),
      providerRefund: z.string(),
    })
    .meta({
      examples: [
        {
          refundId: 'rf_00000000000000000000000000',
          orderId: 'ord_00000000000000000000000000',
          amount: { minor: 500, currency: 'eur' },
          providerRefund: 're_4711',
        },
      ],
    }),
  intent: ['checkout', 'amount', 'reason'],
  keyScope: 'subject',
  answers: 'outcome',
  workflow: 'tells',
  failures: { 'order-pending': orderFailures['order-pending'], ...refundFailures },
  renewsAfter: [],
  // Nobody waits at a page for it. Once it is sent, it goes on until the provider has answered.
  patience: hours(1),
  retries: 'interactive',
  undoPatience: hours(1),
  personAfter: minutes(15),
  // A shop's own queue may repeat for three days.
  retryHorizon: days(3),
  retention: {
    response: days(30),
    tombstone: days(400),
    because: 'a bank may send a refund back for weeks; a tombstone covers a year of accounting and a month',
  },
  copies: { lifetime: days(3), because: 'a shop’s own queue repeats for three days, at whichever process it reaches' },
  steps: {
    // Two refunds at once never hold more than was paid.
    hold: { effect: 'transaction', says: 'Holding the money that is given back', undo: 'own', refusable: true },
    giveBack: {
      effect: 'keyed',
      says: 'Giving the money back',
      undo: 'irreversible',
      refusable: true,
      placement: 'outside',
      calls: 'payments',
      resolvedAs: z.strictObject({
        refund: z.string().regex(/^[A-Za-z0-9_-]{1,255}$/, "give the refund's id at the provider, such as 're_4711'"),
      }),
    },
    record: { effect: 'transaction', says: 'Recording the refund', undo: 'nothing', refusable: false },
  },
});
