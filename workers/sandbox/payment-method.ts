import { missingResource } from './stripe-error.ts';

/** How the bank declines. */
export interface Decline {
  code: string;
  declineCode: string;
  message: string;
}

/** What a test payment method does when it is charged. */
export type PaymentMethod =
  /** `pends`: its refunds are pending until the bank has decided. Until then nothing has moved. */
  | { id: string; outcome: 'approves'; refunds?: 'pends' }
  | { id: string; outcome: 'asks' }
  | { id: string; outcome: 'declines'; decline: Decline };

const APPROVING = [
  ...['visa', 'visa_debit', 'mastercard', 'mastercard_debit', 'mastercard_prepaid', 'amex', 'discover'],
  ...['diners', 'jcb', 'unionpay', 'us', 'threeDSecureOptional'],
];
const ASKING = ['threeDSecure2Required', 'threeDSecureRequired', 'authenticationRequired'];

const DECLINING: Record<string, Decline> = {
  chargeDeclined: declined('generic_decline', 'Your card was declined.'),
  chargeDeclinedInsufficientFunds: declined('insufficient_funds', 'Your card has insufficient funds.'),
  chargeDeclinedLostCard: declined('lost_card', 'Your card was declined.'),
  chargeDeclinedStolenCard: declined('stolen_card', 'Your card was declined.'),
  chargeDeclinedFraudulent: declined('fraudulent', 'Your card was declined.'),
  chargeDeclinedVelocityLimitExceeded: declined(
    'card_velocity_exceeded',
    'Your card was declined for making repeated attempts too frequently or exceeding its amount limit.',
  ),
  chargeDeclinedExpiredCard: { ...declined('expired_card', 'Your card has expired.'), code: 'expired_card' },
  chargeDeclinedIncorrectCvc: {
    ...declined('incorrect_cvc', "Your card's security code is incorrect."),
    code: 'incorrect_cvc',
  },
  chargeDeclinedProcessingError: {
    ...declined('processing_error', 'An error occurred while processing your card. Try again in a little bit.'),
    code: 'processing_error',
  },
};

const METHODS = new Map<string, PaymentMethod>([
  ...APPROVING.map((name) => known({ id: `pm_card_${name}`, outcome: 'approves' })),
  known({ id: 'pm_card_pendingRefund', outcome: 'approves', refunds: 'pends' }),
  ...ASKING.map((name) => known({ id: `pm_card_${name}`, outcome: 'asks' })),
  // Stripe writes the older ones without a brand and the newer ones with it.
  ...Object.entries(DECLINING).flatMap(([name, decline]) =>
    ['pm_card_', 'pm_card_visa_'].map((prefix) => known({ id: prefix + name, outcome: 'declines', decline })),
  ),
]);

/**
 * Finds the test payment method of that name.
 * @throws StripeError resource_missing
 */
export function findPaymentMethod(id: string): PaymentMethod {
  const method = METHODS.get(id);
  if (method === undefined) throw missingResource('PaymentMethod', id, 'payment_method');
  return method;
}

function known(method: PaymentMethod): [string, PaymentMethod] {
  return [method.id, method];
}

function declined(declineCode: string, message: string): Decline {
  return { code: 'card_declined', declineCode, message };
}
