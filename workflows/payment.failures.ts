import { type FailureRows, newKey, support, wait } from './operation/failures.ts';

const pay = { retryable: false, sameKeySafe: false, action: 'change_payment_method' } as const;

/** The refusals of a payment provider. Flows that take payments share these rows. */
export const paymentFailures = {
  'card-declined': { status: 402, title: 'The card was declined', ...pay },
  'authentication-required': { status: 402, title: 'The bank asks for an authentication of this card', ...pay },
  // This is the bank's trouble and not a verdict on the card. Ten seconds, so that clients leave the next try to the
  // person.
  'payment-not-processed': {
    status: 402,
    title: 'The bank could not process the payment just now',
    ...wait,
    retryAfter: 10,
    stored: false,
  },
  'payment-refused': { status: 422, title: 'The payment provider cannot use this payment method', ...pay },
  'payment-duplicate': { status: 409, title: 'The bank takes the payment for a repeat', ...support },
  'payment-cancelled': { status: 409, title: 'The payment was cancelled at the provider', ...support },
  'payment-not-possible': { status: 500, title: 'The shop cannot take this payment', ...support },
  'amount-too-large': { status: 422, title: 'The amount is more than the payment provider takes', ...newKey },
  'amount-too-small': { status: 422, title: 'The amount is less than the payment provider takes', ...newKey },
} as const satisfies FailureRows;

type PaymentFailures = typeof paymentFailures;
declare module './operation/failures.ts' {
  interface FlowFailures extends PaymentFailures {}
}
