import type { Refusal } from '../../../../workflows/operation/outcome.ts';
import { declineCodes, shownDeclineCode } from './decline-codes.ts';
import type { Meaning, PaymentCode } from './payment-code.ts';
import { stripeCodes } from './stripe-codes.ts';

/** What Stripe says of an error, whether thrown or found on a PaymentIntent. */
type ProviderError = {
  readonly code?: string | undefined;
  readonly decline_code?: string | undefined;
  readonly advice_code?: string | undefined;
  readonly message?: string | undefined;
  readonly param?: string | undefined;
};

/** Card and amount come from the caller. Any other part of a request is ours, and so is its fault. */
const callers: ReadonlySet<string> = new Set(['payment_method', 'amount']);

/** @returns what the refusal of a request means. An unknown code of a later API version counts as our own fault. */
export function requestMeaning({ code = '', param }: ProviderError): Meaning {
  const meaning: Meaning = Object.hasOwn(stripeCodes, code)
    ? stripeCodes[code as keyof typeof stripeCodes]
    : 'payment-not-possible';
  if (meaning === 'moved' || meaning === 'throttled' || meaning === 'unknown') return meaning;
  return param === undefined || callers.has(param) ? meaning : 'payment-not-possible';
}

/** @returns what a refusal of the card means. The bank's own reason is more exact than Stripe's code. */
function declineMeaning({ code = '', decline_code: decline = '' }: ProviderError): PaymentCode {
  if (Object.hasOwn(declineCodes, decline)) return declineCodes[decline] as PaymentCode;
  const meaning = Object.hasOwn(stripeCodes, code) ? stripeCodes[code as keyof typeof stripeCodes] : 'card-declined';
  // An error of the card that comes with another kind of code is still a decline.
  return meaning === 'authentication-required' || meaning === 'payment-not-processed' ? meaning : 'card-declined';
}

/** The bank, or Stripe for it, has refused this card. */
export function cardRefusal(error: ProviderError): Refusal {
  const declineCode = error.decline_code === undefined ? {} : { declineCode: shownDeclineCode(error.decline_code) };
  // The card networks charge for repeats after this advice, whatever the reason is. The message may still suggest one.
  if (error.advice_code === 'do_not_try_again') return refusal('card-declined', {}, declineCode);
  return refusal(declineMeaning(error), error, declineCode);
}

/** Stripe has refused the request before doing anything. */
export function requestRefusal(code: PaymentCode, error: ProviderError): Refusal {
  return refusal(code, error, error.code === undefined ? {} : { providerCode: error.code });
}

function refusal(code: PaymentCode, { message = '' }: ProviderError, more: Readonly<Record<string, string>>): Refusal {
  return { code, detail: detailOf(code, message), more };
}

/** What happened and what to do about it. It must not contradict the action of the failure table. */
function detailOf(code: PaymentCode, message: string): string {
  switch (code) {
    case 'card-declined':
      return message === '' ? 'The card was declined.' : message;
    case 'payment-refused':
      return `The payment provider cannot use this payment method: choose another one.${said(message)}`;
    case 'authentication-required':
      return 'The bank asks the buyer to confirm this payment (3-D Secure), and that was not done. Nothing was charged: ask with a new key.';
    case 'payment-not-processed':
      return 'The bank could not process the payment just now. Nothing was charged: wait, then ask again with the same key.';
    case 'payment-duplicate':
      return 'The bank takes this for a repeat of a payment made just before. Find out whether that one was charged before paying again.';
    case 'amount-too-large':
      return `The payment provider does not take that much in one payment, whatever the card: take items out of the cart.${said(message)}`;
    case 'amount-too-small':
      return `The payment provider does not take so little in one payment, whatever the card: add items to the cart.${said(message)}`;
    case 'payment-not-possible':
      // Stripe's words may tell of our account, so they stay inside.
      return 'The payment provider refuses our request, and neither another card nor another cart would help. Nothing was charged.';
  }
}

function said(message: string): string {
  return message === '' ? '' : ` It says: ${message}`;
}
