import Stripe from 'stripe';
import { hours } from '../workflows/operation/duration.ts';
import type { Refusal } from '../workflows/operation/outcome.ts';
import type { Money } from './orders.ts';
import type { OutsideStep } from './engine/outside-step.ts';
import type { Payments } from './outside/payments.ts';
import { Doubtful } from './stores/outcomes/doubtful.ts';
import { EffectFree } from './stores/outcomes/effect-free.ts';
import { Refused } from './stores/outcomes/refused.ts';
import { Unconfirmed } from './stores/outcomes/unconfirmed.ts';
import type { Sending } from './stores/sending.ts';
import { findPayment } from './stores/payments/find-payment.ts';
import { paymentFailure } from './stores/payments/payment-failure.ts';
import { cardRefusal } from './stores/payments/payment-refusal.ts';
import { unwindPayment } from './stores/payments/unwind-payment.ts';

type PaymentSteps = {
  openPayment: { input: { readonly amount: Money; readonly orderId: string }; result: Opened };
  authorise: { input: Opened & { readonly paymentMethod: string }; result: Opened };
  capture: { input: Opened & { readonly amount: Money }; result: Opened };
};

type Opened = { readonly paymentIntent: string };
type OpenRequest = Stripe.PaymentIntentCreateParams;
type ConfirmRequest = Opened & { readonly paymentMethod: string };
type CaptureRequest = Opened & { readonly amount: Money };

/**
 * Stripe keeps a key for at least 24 hours. With an hour to spare, an older key no longer proves that nothing will run
 * twice.
 */
const keyWindow = hours(23);

/**
 * A card payment in three calls, so that the provider itself is a fence. Opening moves nothing, and its id is in the
 * ledger before the confirm. An undo cancels what a thawed worker would still confirm.
 */
export function paymentSteps({ stripe, sandboxed }: Payments) {
  const openPayment: OutsideStep<PaymentSteps['openPayment']['input'], OpenRequest, Opened> = {
    request: ({ amount, orderId }, { operation, tenant }) => ({
      amount: amount.minor,
      currency: amount.currency,
      capture_method: 'manual',
      payment_method_types: ['card'],
      metadata: { operation, tenant, order: orderId },
    }),
    async send(request, sending) {
      const intent = await (sending.age > keyWindow ? openedBefore(sending) : open(request, sending));
      if (intent.amount !== request.amount || intent.currency !== request.currency)
        throw new Refused({
          code: 'payment-not-possible',
          detail: 'The provider opened a payment of another amount. Nothing was charged.',
        });
      // Nothing has moved yet. Test money must not pay a live order, and a test must not charge a card.
      if (isOfOtherEnvironment(intent, sending))
        throw new Refused({
          code: 'payment-not-possible',
          detail: `The payment provider's key is not for the ${sending.environment} environment of this token.`,
        });
      return { paymentIntent: intent.id };
    },
    async check({ paymentIntent }, request, sending) {
      const intent = await paymentOf(sending, paymentIntent);
      if (isOfOtherEnvironment(intent, sending))
        throw new Unconfirmed(`${paymentIntent} is not of the ${sending.environment} environment of this operation.`);
      if (intent.amount !== request.amount || intent.currency !== request.currency)
        throw new Unconfirmed(`${paymentIntent} is a payment of another amount or currency.`);
      return { paymentIntent };
    },
    undo: (request, result, sending) => unwindPayment(stripe, request, result?.paymentIntent, sending, keyWindow),
  };

  async function open(request: OpenRequest, sending: Sending): Promise<Stripe.PaymentIntent> {
    try {
      return await stripe.paymentIntents.create(request, options(sending));
    } catch (error) {
      const failure = paymentFailure(error);
      // An unconfirmed intent moves nothing: one left behind by a stored 500 is harmless, and a new key may be used.
      throw failure.kind === 'spent' ? new EffectFree(failure.message) : failure.thrown;
    }
  }

  /** The key may have been forgotten: it would open another payment, and prove nothing. */
  async function openedBefore(sending: Sending): Promise<Stripe.PaymentIntent> {
    const found = await findPayment(stripe, sending);
    if (found === undefined) throw new EffectFree('No payment was opened that could be found');
    return found;
  }

  const authorise: OutsideStep<PaymentSteps['authorise']['input'], ConfirmRequest, Opened> = {
    request: ({ paymentIntent, paymentMethod }) => ({ paymentIntent, paymentMethod }),
    async send({ paymentIntent, paymentMethod }, sending) {
      const intent = await settledBy(sending, paymentIntent, () =>
        stripe.paymentIntents.confirm(paymentIntent, { payment_method: paymentMethod }, options(sending)),
      );
      if (intent.status === 'requires_capture' || intent.status === 'succeeded') return { paymentIntent };
      if (intent.status === 'requires_action')
        throw new Refused({
          code: 'authentication-required',
          detail: 'The bank asks the buyer to confirm this payment (3-D Secure), which this checkout does not offer.',
        });
      // Without an error the card was never tried: what failed was the call.
      if (intent.status === 'requires_payment_method' && intent.last_payment_error !== null)
        throw new Refused(cardRefusal(intent.last_payment_error));
      if (intent.status === 'canceled')
        throw new Refused(cancelledElsewhere('The payment was cancelled at the provider.'));
      throw new EffectFree(`The payment is still ${intent.status}`);
    },
    async check(said, { paymentIntent }, sending) {
      const { status } = await paymentOf(sending, same(said, paymentIntent));
      if (status === 'requires_capture' || status === 'succeeded') return { paymentIntent };
      throw new Unconfirmed(`${paymentIntent} is ${status}: it has not been authorised.`);
    },
  };

  const capture: OutsideStep<PaymentSteps['capture']['input'], CaptureRequest, Opened> = {
    request: ({ paymentIntent, amount }) => ({ paymentIntent, amount }),
    async send({ paymentIntent, amount }, sending) {
      const intent = await settledBy(sending, paymentIntent, () =>
        stripe.paymentIntents.capture(paymentIntent, { amount_to_capture: amount.minor }, options(sending)),
      );
      // Nobody can guess what to do about another amount. The operation stays open and visible until a person has
      // looked.
      if (intent.status === 'succeeded' && intent.amount_received !== amount.minor)
        throw new Doubtful(`The provider captured ${intent.amount_received} instead of ${amount.minor}`);
      if (intent.status === 'succeeded') return { paymentIntent };
      if (intent.status === 'canceled')
        throw new Refused(cancelledElsewhere('The authorisation was cancelled before the capture.'));
      throw new EffectFree(`The payment is still ${intent.status}`);
    },
    async check(said, { paymentIntent, amount }, sending) {
      const intent = await paymentOf(sending, same(said, paymentIntent));
      const refunds = await stripe.refunds.list(
        { payment_intent: paymentIntent },
        { timeout: sending.timeout, maxNetworkRetries: 0 },
      );
      if (refunds.data.some(({ status }) => status !== 'failed' && status !== 'canceled'))
        throw new Unconfirmed(`${paymentIntent} was captured, and money of it was given back.`);
      if (intent.status === 'succeeded' && intent.amount_received === amount.minor) return { paymentIntent };
      throw new Unconfirmed(
        `${paymentIntent} is ${intent.status}, with ${intent.amount_received} of ${amount.minor} ${amount.currency} captured.`,
      );
    },
  };

  /** Test money must not pay a live order, and a test must not charge a card. A sandbox serves both. */
  function isOfOtherEnvironment({ livemode }: Stripe.PaymentIntent, { environment }: Sending): boolean {
    return !sandboxed && livemode !== (environment === 'live');
  }

  /**
   * The payment that a person names. It must be this operation's own, or one payment would pay two orders.
   * @throws Unconfirmed where it is not
   */
  async function paymentOf({ operation, tenant, timeout }: Sending, id: string): Promise<Stripe.PaymentIntent> {
    const intent = await stripe.paymentIntents.retrieve(id, {}, { timeout, maxNetworkRetries: 0 }).catch((error) => {
      throw isMissing(error) ? new Unconfirmed(`The payment provider knows no ${id}.`) : error;
    });
    if (intent.metadata.operation !== operation || intent.metadata.tenant !== tenant)
      throw new Unconfirmed(`${id} is not a payment of this operation.`);
    return intent;
  }

  /**
   * Sends. If the key can no longer be trusted, it looks the intent up by its id instead (consistent, unlike a
   * search).
   */
  async function settledBy(
    { age, timeout }: Sending,
    id: string,
    send: () => Promise<Stripe.PaymentIntent>,
  ): Promise<Stripe.PaymentIntent> {
    if (age > keyWindow) return await stripe.paymentIntents.retrieve(id, {}, { timeout });
    try {
      return await send();
    } catch (error) {
      const failure = paymentFailure(error);
      switch (failure.kind) {
        case 'spent':
        case 'moved':
          return await stripe.paymentIntents.retrieve(id, {}, { timeout });
        case 'declined':
        case 'refused':
        case 'throttled':
        case 'unknown':
          throw failure.thrown;
      }
    }
  }

  return { openPayment, authorise, capture };
}

function options({ key, timeout }: Sending): Stripe.RequestOptions {
  // Retries are ours: the client's own would make calls that the ledger does not know.
  return { idempotencyKey: key, timeout, maxNetworkRetries: 0 };
}

/** Only the shop's staff, or the provider itself, can have done that: a repeat would overrule them. */
function cancelledElsewhere(what: string): Refusal {
  return { code: 'payment-cancelled', detail: `${what} Nothing was charged.` };
}

/** @throws Unconfirmed where a person names another payment than the one that was sent */
function same({ paymentIntent }: Opened, sent: string): string {
  if (paymentIntent === sent) return sent;
  throw new Unconfirmed(`This step was sent for ${sent}, not for ${paymentIntent}.`);
}

function isMissing(error: unknown): boolean {
  return error instanceof Stripe.errors.StripeInvalidRequestError && error.code === 'resource_missing';
}
