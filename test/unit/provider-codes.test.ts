import { readFileSync } from 'node:fs';
import Stripe from 'stripe';
import { describe, expect, it } from 'vitest';
import { declineCodes } from '../../activities/stores/payments/stripe/decline-codes.ts';
import { type PaymentFailure, paymentFailure } from '../../activities/stores/payments/stripe/payment-failure.ts';
import { stripeCodes } from '../../activities/stores/payments/stripe/stripe-codes.ts';
import { Refused } from '../../activities/stores/outcomes/refused.ts';
// Its rows of the failure table.
import '../../workflows/checkout.flow.ts';
import { failure } from '../../workflows/operation/failures.ts';

/** An error as the SDK makes it of an answer. */
function thrown(statusCode: number, type: string, raw: Record<string, unknown>): PaymentFailure {
  return paymentFailure(Stripe.errors.StripeError.generate({ statusCode, type, message: '', ...raw } as never));
}
const invalid = (code: string, more = {}) => thrown(400, 'invalid_request_error', { code, ...more });
const declined = (code: string, more = {}) => thrown(402, 'card_error', { code, ...more });

function refusal({ thrown: error }: PaymentFailure) {
  if (!(error instanceof Refused)) throw error;
  return error.refusal;
}
const action = (answer: PaymentFailure) => failure(refusal(answer).code).action;

/** The SDK's own list, as its types have it. */
function codesOfSdk(): string[] {
  const types = readFileSync(
    new URL('../../node_modules/stripe/esm/resources/PaymentIntents.d.ts', import.meta.url),
    'utf8',
  );
  const list = /namespace LastPaymentError \{\s*type Code = ([^;]+);/.exec(types)?.[1] ?? '';
  return [...list.matchAll(/'(\w+)'/g)].map(([, code]) => code as string);
}

describe("each error code of Stripe's SDK", () => {
  it('has a meaning in activities/stores/payments/stripe/stripe-codes.ts', () => {
    expect(codesOfSdk().length).toBeGreaterThan(200);
    expect(codesOfSdk().filter((code) => !Object.hasOwn(stripeCodes, code))).toEqual([]);
    expect(Object.keys(stripeCodes).filter((code) => !codesOfSdk().includes(code))).toEqual([]);
  });

  it.each(Object.entries(stripeCodes))('%s becomes %s where a request is refused', (code, meaning) => {
    const answer = invalid(code);
    switch (meaning) {
      case 'moved':
      case 'throttled':
      case 'unknown':
        expect(answer.kind).toBe(meaning);
        break;
      case 'card-declined':
      case 'authentication-required':
      case 'payment-not-processed':
      case 'payment-refused':
      case 'payment-duplicate':
      case 'payment-not-possible':
      case 'amount-too-large':
      case 'amount-too-small':
        expect([answer.kind, refusal(answer).code]).toEqual(['refused', meaning]);
        agrees(answer);
    }
  });

  it.each(Object.keys(stripeCodes))('%s as a card error never says that the shop or the cart is at fault', (code) => {
    const answer = declined(code);
    expect(answer.kind).toBe('declined');
    expect(['change_payment_method', 'wait']).toContain(action(answer));
    agrees(answer);
  });
});

describe('each decline code that Stripe documents', () => {
  it.each(Object.entries(declineCodes))('%s becomes %s', (decline_code, meaning) => {
    const answer = declined('card_declined', { decline_code });
    expect(refusal(answer).code).toBe(meaning);
    agrees(answer);
  });

  it.each([
    ['processing_error', 'wait'],
    ['try_again_later', 'wait'],
    ['issuer_not_available', 'wait'],
    ['reenter_transaction', 'wait'],
    ['insufficient_funds', 'change_payment_method'],
    ['do_not_honor', 'change_payment_method'],
    ['a_code_of_next_year', 'change_payment_method'],
    ['duplicate_transaction', 'contact_support'],
  ])('%s asks the person to %s', (decline_code, asked) => {
    expect(action(declined('card_declined', { decline_code }))).toBe(asked);
  });

  it('is not repeated against the advice of the card network', () => {
    const decline = { decline_code: 'try_again_later', advice_code: 'do_not_try_again' };
    expect(action(declined('card_declined', decline))).toBe('change_payment_method');
  });

  it.each(['stolen_card', 'lost_card', 'fraudulent', 'merchant_blacklist'])('%s is not told to the buyer', (code) => {
    const { more, detail } = refusal(declined('card_declined', { decline_code: code }));
    expect([more, detail]).toEqual([{ declineCode: 'generic_decline' }, 'The card was declined.']);
  });
});

it('an amount that no card can pay is not blamed on the card', () => {
  expect(action(invalid('amount_too_large', { param: 'amount' }))).toBe('fix_request');
  expect(action(invalid('amount_too_small', { param: 'amount' }))).toBe('fix_request');
});

it('what we have written into a request is not blamed on the caller', () => {
  expect(action(invalid('amount_too_large', { param: 'amount_to_capture' }))).toBe('contact_support');
  expect(action(invalid('resource_missing', { param: 'intent' }))).toBe('contact_support');
  expect(action(invalid('resource_missing', { param: 'payment_method' }))).toBe('change_payment_method');
  expect(action(invalid('a_code_of_next_year'))).toBe('contact_support');
  const { detail } = refusal(invalid('account_invalid', { message: 'No such account: acct_123' }));
  expect(detail).not.toContain('acct_123');
});

/** Detail and action say the same. */
function agrees(answer: PaymentFailure): void {
  const { code, detail } = refusal(answer);
  const row = failure(code);
  switch (row.action) {
    case 'wait':
      expect(detail).toMatch(/wait, then ask again with the same key/);
      expect([row.retryable, row.sameKeySafe, row.stored]).toEqual([true, true, false]);
      break;
    case 'retry':
      expect.unreachable('a repeat at once only meets the same trouble');
      break;
    case 'change_payment_method':
      expect(detail).toMatch(/card|payment method|3-D Secure/);
      expect(detail).not.toMatch(/again/);
      break;
    case 'fix_request':
      expect(detail).toMatch(/whatever the card: .* the cart/);
      break;
    case 'contact_support':
      expect(detail).not.toMatch(/choose|again with/i);
  }
}
