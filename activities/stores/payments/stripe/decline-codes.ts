import type { PaymentCode } from './payment-code.ts';

/**
 * What each decline code of Stripe means for a checkout (docs.stripe.com/declines/codes, November 2026). The SDK has no list
 * of them: a code that is not here is taken as a decline of this card.
 */
export const declineCodes: Readonly<Record<string, PaymentCode>> = {
  approve_with_id: 'payment-not-processed',
  authentication_not_handled: 'authentication-required',
  authentication_required: 'authentication-required',
  call_issuer: 'card-declined',
  card_not_supported: 'card-declined',
  card_velocity_exceeded: 'card-declined',
  currency_not_supported: 'card-declined',
  do_not_honor: 'card-declined',
  do_not_try_again: 'card-declined',
  // Another card would pay a second time what may have been paid already.
  duplicate_transaction: 'payment-duplicate',
  expired_card: 'card-declined',
  fraudulent: 'card-declined',
  generic_decline: 'card-declined',
  incorrect_address: 'card-declined',
  incorrect_cvc: 'card-declined',
  incorrect_number: 'card-declined',
  incorrect_pin: 'card-declined',
  incorrect_zip: 'card-declined',
  insufficient_funds: 'card-declined',
  invalid_account: 'card-declined',
  // "Invalid, or exceeds the amount that's allowed": allowed for this card, since Stripe has checked its own limits before.
  invalid_amount: 'card-declined',
  invalid_cvc: 'card-declined',
  invalid_expiry_month: 'card-declined',
  invalid_expiry_year: 'card-declined',
  invalid_number: 'card-declined',
  invalid_pin: 'card-declined',
  issuer_not_available: 'payment-not-processed',
  lost_card: 'card-declined',
  merchant_blacklist: 'card-declined',
  mobile_device_authentication_required: 'authentication-required',
  new_account_information_available: 'card-declined',
  no_action_taken: 'card-declined',
  not_permitted: 'card-declined',
  offline_pin_required: 'authentication-required',
  online_or_offline_pin_required: 'authentication-required',
  pickup_card: 'card-declined',
  pin_try_exceeded: 'card-declined',
  processing_error: 'payment-not-processed',
  reenter_transaction: 'payment-not-processed',
  restricted_card: 'card-declined',
  revocation_of_all_authorizations: 'card-declined',
  revocation_of_authorization: 'card-declined',
  security_violation: 'card-declined',
  service_not_allowed: 'card-declined',
  stolen_card: 'card-declined',
  stop_payment_order: 'card-declined',
  testmode_decline: 'card-declined',
  transaction_not_allowed: 'card-declined',
  try_again_later: 'payment-not-processed',
  withdrawal_count_limit_exceeded: 'card-declined',
};

/** Stripe asks that these look like any decline to the buyer: otherwise a thief would learn that the card was reported. */
const discreet = new Set(['fraudulent', 'lost_card', 'merchant_blacklist', 'stolen_card']);

/** The decline code as callers may see it. */
export function shownDeclineCode(code: string): string {
  return discreet.has(code) ? 'generic_decline' : code;
}
