import { z } from 'zod';
import { days, hours, minutes, seconds } from './operation/duration.ts';
import { type FailureRows, newKey, wait } from './operation/failures.ts';
import { defineFlow } from './operation/flow.ts';
import { paymentOf } from './payment.events.ts';
import { paymentFailures } from './payment.failures.ts';

const neverCardData = "give the id of a payment method, such as 'pm_card_visa', never card data";

/** An id at the payment provider. A card number does not match, so it never reaches us. */
const paymentMethod = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_-]{3,254}$/, neverCardData)
  .refine((id) => !/([0-9][_-]?){12}/.test(id), neverCardData);

/** The HTML standard's definition, which a browser's `<input type=email>` follows. */
const email = z.email({ pattern: z.regexes.html5Email, error: "give an e-mail address, such as 'ann@example.com'" });

const currencyWords = "give a currency's three letters in lower case, such as 'eur'";
const currency = z.string(currencyWords).regex(/^[a-z]{3}$/, currencyWords);

const promoWords = 'give a promo code of 1 to 100 characters, or leave it out';
const promo = z.string(promoWords).min(1, promoWords).max(100, promoWords);

/** Without blanks and credentials, which a provider refuses. */
const returnUrl = z
  .string()
  .regex(
    /^https?:\/\/[^\s@/?#]+([/?#]\S*)?$/,
    'give the address of a page of the shop, with http or https, without blanks and credentials',
  )
  .max(2_000);

const item = z.strictObject({
  sku: z.string().min(1).max(100),
  // More of one item than a person buys is a slip of the finger or an attack on the stock.
  quantity: z.int().min(1).max(1_000),
});

/** The result of each call to the provider. */
const opened = z.strictObject({
  paymentIntent: z.string().regex(/^[A-Za-z0-9_-]{1,255}$/, "give the payment's id at the provider, such as 'pi_4711'"),
});

const money = z.object({ minor: z.int(), currency: z.string() });

const checkoutFailures = {
  'sku-unknown': { status: 422, title: 'The catalogue has no such item', ...newKey },
  'currency-not-offered': { status: 422, title: 'The cart has no price in this currency', ...newKey },
  'promo-unknown': { status: 422, title: 'There is no such promo code', ...newKey },
  'promo-unfit': { status: 422, title: 'The promo code is for another currency', ...newKey },
  'promo-expired': { status: 409, title: 'The promo code has expired', ...newKey },
  'promo-used-up': { status: 409, title: 'The promo code has been used up', ...newKey },
  'promo-in-use': {
    status: 409,
    title: 'Another checkout holds a use of the promo code',
    ...wait,
    retryAfter: 1,
    stored: false,
  },
  'promo-needs-email': { status: 422, title: "The promo code needs the buyer's e-mail address", ...newKey },
  'promo-used-by-you': { status: 409, title: 'This buyer has used the promo code', ...newKey },
  'currencies-mixed': { status: 422, title: 'The items of the cart have several currencies', ...newKey },
  'price-changed': { status: 409, title: 'The cart has another price now', ...newKey },
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
      /** What the buyer was shown. A cart that costs something else is refused, and nothing is charged. */
      expected: z.strictObject({ minor: z.int().min(0), currency }).optional(),
      /** A code that takes something off the price. */
      promo: promo.optional(),
      /** In which the buyer pays; by default in that of the items. */
      currency: currency.optional(),
      /** Where the buyer goes after the bank's page, if the bank asks; by default a page that says so. */
      returnUrl: returnUrl.optional(),
    })
    .meta({
      examples: [{ cartId: 'cart-4711', items: [{ sku: 'mug-blue', quantity: 2 }], paymentMethod: 'pm_card_visa' }],
    }),
  result: z
    .object({
      orderId: z.string(),
      amount: money,
      discount: money.optional().describe('What a promo code has taken off.'),
      paymentIntent: z
        .string()
        .optional()
        .describe("The payment by the provider's id; none where the order costs nothing."),
    })
    .meta({
      examples: [
        {
          orderId: 'ord_00000000000000000000000000',
          amount: { minor: 2500, currency: 'eur' },
          paymentIntent: 'pi_4711',
        },
      ],
    }),
  intent: ['cartId', 'items', 'paymentMethod', 'email', 'expected', 'promo', 'currency', 'returnUrl'],
  sealed: ['email'],
  keyScope: 'subject',
  answers: 'outcome',
  workflow: 'tells',
  failures: { ...checkoutFailures, ...paymentFailures },
  renewsAfter: [],
  // A buyer who still sees "confirming" after ten minutes has left. The money is then given back.
  patience: minutes(10),
  retries: 'interactive',
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
  copies: {
    lifetime: days(3),
    because: 'a shop’s retry may reach another process than its first try, and its queue repeats for three days',
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
      calls: 'payments',
      resolvedAs: opened,
    },
    authorise: {
      effect: 'keyed',
      says: 'Confirming the payment with the bank',
      undo: { coveredBy: 'openPayment' },
      refusable: true,
      placement: 'outside',
      calls: 'payments',
      resolvedAs: opened,
    },
    // Only where the bank asks for the buyer.
    authenticate: {
      effect: 'await',
      says: "Waiting for the buyer at the bank's page",
      undo: { coveredBy: 'openPayment' },
      placement: 'outside',
      calls: 'payments',
      // A buyer who has not confirmed by then has left. Until then the items stay reserved.
      patience: minutes(15),
      looksEvery: seconds(10),
      evidence: z.strictObject({ paymentIntent: z.string() }).meta({ examples: [{ paymentIntent: 'pi_4711' }] }),
      same: ['paymentIntent'],
      // The event only says that the bank has decided. What, the next step asks.
      on: {
        from: 'stripe',
        types: ['payment_intent.amount_capturable_updated', 'payment_intent.payment_failed', 'payment_intent.canceled'],
        operation: (event) => paymentOf(event)?.operation,
        // A payment that was opened and never used may carry the same metadata.
        agreesWith: 'openPayment',
        evidence: (event) => ({ paymentIntent: paymentOf(event)?.paymentIntent ?? '' }),
      },
      next: "Have the buyer confirm the payment at the bank's page, `nextAction.url`.",
      expired: 'The buyer did not confirm the payment in time. Nothing was charged.',
    },
    decide: {
      effect: 'natural',
      says: 'Asking how the bank has decided',
      undo: { coveredBy: 'openPayment' },
      refusable: true,
      placement: 'outside',
      calls: 'payments',
    },
    // The money is taken here, so a later cancel is refused. If a later step fails, the money is refunded.
    capture: {
      effect: 'keyed',
      says: 'Capturing the payment',
      undo: { coveredBy: 'openPayment' },
      refusable: true,
      uncancellable: true,
      placement: 'outside',
      calls: 'payments',
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
