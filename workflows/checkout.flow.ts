import { z } from 'zod';
import { days, hours, minutes } from './operation/duration.ts';
import { type FailureRows, newKey, wait } from './operation/failures.ts';
import { defineFlow } from './operation/flow.ts';
import { paymentFailures } from './payment.failures.ts';

/** Stripe's ids of payment methods. A card number does not match, so it never reaches us. */
const paymentMethod = z
  .string()
  .regex(/^pm_[A-Za-z0-9_]{1,250}$/, "give the id of a payment method, such as 'pm_card_visa', never card data");

/** The HTML standard's definition, which a browser's `<input type=email>` follows. */
const email = z.email({ pattern: z.regexes.html5Email, error: "give an e-mail address, such as 'ann@example.com'" });

const item = z.strictObject({
  sku: z.string().min(1).max(100),
  // More of one item than a person buys is a slip of the finger or an attack on the stock.
  quantity: z.int().min(1).max(1_000),
});

/** The result of each call to the provider. */
const opened = z.strictObject({
  paymentIntent: z
    .string()
    .regex(/^pi_[A-Za-z0-9_]{1,250}$/, "give the payment's id at the provider, such as 'pi_4711'"),
});

const money = z.object({ minor: z.int(), currency: z.string() });

const checkoutFailures = {
  'sku-unknown': { status: 422, title: 'The catalogue has no such item', ...newKey },
  'currencies-mixed': { status: 422, title: 'The items of the cart have several currencies', ...newKey },
  'out-of-stock': { status: 409, title: 'There is not enough stock', ...newKey },
  'cart-in-progress': {
    status: 409,
    title: 'Another checkout of this cart is in progress',
    ...wait,
    retryAfter: 1,
    stored: false,
  },
  'cart-already-paid': { status: 409, title: 'This cart has been paid', ...newKey },
} as const satisfies FailureRows;

type CheckoutFailures = typeof checkoutFailures;
declare module './operation/failures.ts' {
  interface FlowFailures extends CheckoutFailures {}
}

/** Pays a cart once: stock and order first, then the money, then the receipt. */
export const checkoutFlow = defineFlow({
  name: 'checkout',
  version: 1,
  title: 'Pay a cart',
  route: 'checkouts',
  request: z
    .strictObject({
      cartId: z.string().min(1).max(200),
      items: z.array(item).min(1).max(100),
      paymentMethod,
      email: email.max(254).optional(),
    })
    .meta({
      examples: [{ cartId: 'cart-4711', items: [{ sku: 'mug-blue', quantity: 2 }], paymentMethod: 'pm_card_visa' }],
    }),
  result: z.object({ orderId: z.string(), amount: money, paymentIntent: z.string() }),
  intent: ['cartId', 'items', 'paymentMethod', 'email'],
  keyScope: 'subject',
  answers: 'outcome',
  workflow: 'tells',
  failures: { ...checkoutFailures, ...paymentFailures },
  renewsAfter: [],
  // A buyer who still sees "confirming" after ten minutes has left. The money is then given back.
  patience: minutes(10),
  undoPatience: hours(24),
  // A provider's incident of a few minutes passes by itself. After that somebody should ask the provider.
  personAfter: minutes(15),
  // A browser's retries end in minutes; a shop's own queue may repeat for three days.
  retryHorizon: days(3),
  retention: {
    response: days(30),
    tombstone: days(400),
    because: 'Stripe sends events of a payment for up to 30 days; a tombstone covers a year of accounting and a month',
  },
  steps: {
    reserve: {
      effect: 'transaction',
      says: 'Reserving the items',
      undo: 'own',
      refusable: true,
    },
    openPayment: {
      effect: 'keyed',
      says: 'Opening the payment',
      undo: 'own',
      refusable: true,
      placement: 'outside',
      resolvedAs: opened,
    },
    authorise: {
      effect: 'keyed',
      says: 'Confirming the payment with the bank',
      undo: { coveredBy: 'openPayment' },
      refusable: true,
      placement: 'outside',
      resolvedAs: opened,
    },
    // The money is taken here, so a later cancel is refused. If a later step fails, the money is refunded.
    capture: {
      effect: 'keyed',
      says: 'Capturing the payment',
      undo: { coveredBy: 'openPayment' },
      refusable: true,
      uncancellable: true,
      placement: 'outside',
      resolvedAs: opened,
    },
    complete: {
      effect: 'transaction',
      says: 'Marking the order as paid',
      undo: 'nothing',
      refusable: false,
    },
  },
});
