import { chargeOf, methodOf, type PaymentIntent } from './payment-intent.ts';
import type { StripeErrorBody } from './stripe-error.ts';

/** Where Stripe has the buyer answer the bank. */
export const BANK_AT_STRIPE = 'https://hooks.stripe.com/redirect/authenticate/';

/** A PaymentIntent as Stripe writes it. */
export function presentPaymentIntent(intent: PaymentIntent) {
  const { state } = intent;
  return {
    id: intent.id,
    object: 'payment_intent',
    amount: intent.amount,
    amount_capturable: state.status === 'requires_capture' ? state.capturable : 0,
    amount_received: state.status === 'succeeded' ? state.received : 0,
    automatic_payment_methods: null,
    canceled_at: state.status === 'canceled' ? state.at : null,
    cancellation_reason: state.status === 'canceled' ? state.reason : null,
    capture_method: intent.captureMethod,
    client_secret: intent.clientSecret,
    confirmation_method: 'automatic',
    created: intent.created,
    currency: intent.currency,
    customer: intent.customer,
    description: intent.description,
    last_payment_error: lastPaymentError(intent),
    latest_charge: chargeOf(intent),
    livemode: false,
    metadata: intent.metadata,
    next_action: nextAction(intent),
    payment_method: methodOf(intent),
    payment_method_types: ['card'],
    processing: null,
    receipt_email: intent.receiptEmail,
    setup_future_usage: null,
    shipping: null,
    statement_descriptor: null,
    status: state.status,
    transfer_group: null,
  };
}

/** What the bank said last, in the shape of a card error. */
export function lastPaymentError(intent: PaymentIntent): StripeErrorBody | null {
  const { state } = intent;
  if (state.status !== 'requires_payment_method' || state.decline === null) return null;
  const { code, declineCode, message, method } = state.decline;
  return {
    type: 'card_error',
    code,
    // Only a bank's refusal has one; a failed authentication has none.
    ...(declineCode === '' ? {} : { decline_code: declineCode }),
    message,
    ...(state.charge === null ? {} : { charge: state.charge }),
    doc_url: `https://docs.stripe.com/error-codes/${code.replaceAll('_', '-')}`,
    payment_method: { id: method, object: 'payment_method', type: 'card', livemode: false },
  };
}

function nextAction(intent: PaymentIntent) {
  if (intent.state.status !== 'requires_action') return null;
  if (intent.returnUrl === null) {
    return { type: 'use_stripe_sdk', use_stripe_sdk: { type: 'stripe_3ds2_fingerprint', source: intent.id } };
  }
  const url = `${BANK_AT_STRIPE}${intent.id}?client_secret=${intent.clientSecret}`;
  return { type: 'redirect_to_url', redirect_to_url: { return_url: intent.returnUrl, url } };
}
