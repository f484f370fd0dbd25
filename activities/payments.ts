import type { Refusal } from '../workflows/operation/outcome.ts';
import type { Money } from './orders.ts';
import type { OutsideStep } from './engine/outside-step.ts';
import type { Payments } from './outside/payments.ts';
import { Doubtful } from './stores/outcomes/doubtful.ts';
import { EffectFree } from './stores/outcomes/effect-free.ts';
import { Refused } from './stores/outcomes/refused.ts';
import { Unconfirmed } from './stores/outcomes/unconfirmed.ts';
import type { Payment } from './stores/payments/payment.ts';
import type { Card, OpenWish } from './stores/payments/payment-provider.ts';
import { unwindPayment } from './stores/payments/unwind-payment.ts';
import type { Sending } from './stores/sending.ts';

type PaymentSteps = {
  openPayment: { input: { readonly amount: Money; readonly orderId: string }; result: Opened };
  authorise: {
    /** `buyer` is there to answer the bank's question. Without one, a card that needs an answer is refused. */
    input: Opened & { readonly paymentMethod: string; readonly buyer?: { readonly returnUrl: string | undefined } };
    result: Opened & { readonly asksBuyer?: true };
  };
  capture: { input: Opened & { readonly amount: Money }; result: Opened };
};

export type Opened = { readonly paymentIntent: string };
type ConfirmRequest = Opened & Card;
type CaptureRequest = Opened & { readonly amount: Money };

/**
 * A card payment in three calls, so that the provider itself is a fence. Opening moves nothing, and its id is in the
 * ledger before the confirm. An undo cancels what a thawed worker would still confirm.
 */
export function paymentSteps({ provider, sandboxed, returnUrl: usualReturn }: Payments) {
  const openPayment: OutsideStep<PaymentSteps['openPayment']['input'], OpenWish, Opened> = {
    request: ({ amount, orderId }, { operation, tenant }) => ({
      amount: amount.minor,
      currency: amount.currency,
      metadata: { operation, tenant, order: orderId },
    }),
    async send(wish, sending) {
      const payment = await provider.open(wish, sending);
      if (isOfAnotherAmount(payment, wish))
        throw new Refused({
          code: 'payment-not-possible',
          detail: 'The provider opened a payment of another amount. Nothing was charged.',
        });
      // Nothing has moved yet. Test money must not pay a live order, and a test must not charge a card.
      if (isOfOtherEnvironment(payment, sending))
        throw new Refused({
          code: 'payment-not-possible',
          detail: `The payment provider's key is not for the ${sending.environment} environment of this token.`,
        });
      return { paymentIntent: payment.id };
    },
    async check({ paymentIntent }, wish, sending) {
      const payment = await ownPayment(sending, paymentIntent);
      if (isOfOtherEnvironment(payment, sending))
        throw new Unconfirmed(`${paymentIntent} is not of the ${sending.environment} environment of this operation.`);
      if (isOfAnotherAmount(payment, wish))
        throw new Unconfirmed(`${paymentIntent} is a payment of another amount or currency.`);
      return { paymentIntent };
    },
    undo: (wish, result, undoing) => unwindPayment(provider, wish, result?.paymentIntent, undoing),
  };

  const authorise: OutsideStep<
    PaymentSteps['authorise']['input'],
    ConfirmRequest,
    PaymentSteps['authorise']['result']
  > = {
    request: ({ paymentIntent, paymentMethod, buyer }) => ({
      paymentIntent,
      paymentMethod,
      ...(buyer === undefined ? {} : { returnUrl: buyer.returnUrl ?? usualReturn }),
    }),
    async send({ paymentIntent, ...card }, sending) {
      const { state, called } = await provider.confirm(paymentIntent, card, sending);
      switch (state.kind) {
        case 'authorised':
        case 'captured':
          return { paymentIntent };
        case 'asking':
          // The address of the bank's page holds a secret of the buyer's. It is asked for when it is shown, and not kept.
          if (card.returnUrl !== undefined) return { paymentIntent, asksBuyer: true };
          throw new Refused({
            code: 'authentication-required',
            detail: 'The bank asks the buyer to confirm this payment (3-D Secure), which this checkout does not offer.',
          });
        case 'declined':
          throw new Refused(state.refusal);
        case 'cancelled':
          throw new Refused(cancelledElsewhere('The payment was cancelled at the provider.'));
        case 'open':
          throw new EffectFree(`The payment is still ${called}`);
      }
    },
    async check(said, { paymentIntent }, sending) {
      const { state, called } = await ownPayment(sending, same(said, paymentIntent));
      if (state.kind === 'authorised' || state.kind === 'captured') return { paymentIntent };
      throw new Unconfirmed(`${paymentIntent} is ${called}: it has not been authorised.`);
    },
  };

  const capture: OutsideStep<PaymentSteps['capture']['input'], CaptureRequest, Opened> = {
    request: ({ paymentIntent, amount }) => ({ paymentIntent, amount }),
    async send({ paymentIntent, amount }, sending) {
      const { state, called } = await provider.capture(paymentIntent, amount.minor, sending);
      switch (state.kind) {
        case 'captured':
          if (state.captured === amount.minor) return { paymentIntent };
          // Nobody can guess what to do about another amount. The operation stays open and visible until a person has
          // looked.
          throw new Doubtful(`The provider captured ${state.captured} instead of ${amount.minor}`);
        case 'cancelled':
          throw new Refused(cancelledElsewhere('The authorisation was cancelled before the capture.'));
        case 'open':
        case 'declined':
        case 'asking':
        case 'authorised':
          throw new EffectFree(`The payment is still ${called}`);
      }
    },
    async check(said, { paymentIntent, amount }, sending) {
      const { state, called } = await ownPayment(sending, same(said, paymentIntent));
      if ((await provider.givenBack(paymentIntent, sending)) > 0)
        throw new Unconfirmed(`${paymentIntent} was captured, and money of it was given back.`);
      const captured = state.kind === 'captured' ? state.captured : 0;
      if (captured === amount.minor) return { paymentIntent };
      throw new Unconfirmed(
        `${paymentIntent} is ${called}, with ${captured} of ${amount.minor} ${amount.currency} captured.`,
      );
    },
  };

  /** Test money must not pay a live order, and a test must not charge a card. A sandbox serves both. */
  function isOfOtherEnvironment({ live }: Payment, { environment }: Sending): boolean {
    return !sandboxed && live !== (environment === 'live');
  }

  /**
   * The payment that a person names. It must be this operation's own, or one payment would pay two orders.
   * @throws Unconfirmed where it is not
   */
  async function ownPayment(sending: Sending, id: string): Promise<Payment> {
    const payment = await provider.look(id, sending);
    if (payment === undefined) throw new Unconfirmed(`The payment provider knows no ${id}.`);
    const { operation, tenant } = payment.origin;
    if (operation !== sending.operation || tenant !== sending.tenant)
      throw new Unconfirmed(`${id} is not a payment of this operation.`);
    return payment;
  }

  return { openPayment, authorise, capture };
}

function isOfAnotherAmount({ amount, currency }: Payment, wish: OpenWish): boolean {
  return amount !== wish.amount || currency !== wish.currency;
}

/** Only the shop's staff, or the provider itself, can have done that: a repeat would overrule them. */
export function cancelledElsewhere(what: string): Refusal {
  return { code: 'payment-cancelled', detail: `${what} Nothing was charged.` };
}

/** @throws Unconfirmed where a person names another payment than the one that was sent */
function same({ paymentIntent }: Opened, sent: string): string {
  if (paymentIntent === sent) return sent;
  throw new Unconfirmed(`This step was sent for ${sent}, not for ${paymentIntent}.`);
}
