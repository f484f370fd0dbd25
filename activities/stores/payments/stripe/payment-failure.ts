import Stripe from 'stripe';
import { seconds } from '../../../../workflows/operation/duration.ts';
import { Doubtful } from '../../outcomes/doubtful.ts';
import { Refused } from '../../outcomes/refused.ts';
import { Throttled } from '../../outcomes/throttled.ts';
import type { PaymentCode } from './payment-code.ts';
import { cardRefusal, requestMeaning, requestRefusal } from './payment-refusal.ts';

/**
 * A buyer is waiting. A longer pause than this must be a mistake, and our own back-off is used instead. Milliseconds.
 */
const longestPause = seconds(60);

/** What a failed call to the provider means for the step that made it. */
export type PaymentFailure = { readonly message: string; readonly thrown: Error } & {
  readonly kind: /** The bank has said no: an answer like any other. */
    | 'declined'
    /** The provider has refused the request before doing anything. */
    | 'refused'
    /** The object is in another state than the request needs: look at it. */
    | 'moved'
    /**
     * A failure is stored under this key and will be returned for ever. Whether anything happened must be looked up.
     */
    | 'spent'
    /** There were too many requests, and this one was not executed. */
    | 'throttled'
    /** No complete answer, or the same key is still at work: it may have happened. */
    | 'unknown';
};

export function paymentFailure(error: unknown): PaymentFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Stripe.errors.StripeCardError)
    return { kind: 'declined', message, thrown: new Refused(cardRefusal(error)) };
  if (error instanceof Stripe.errors.StripeIdempotencyError)
    return error.statusCode === 409 ? unclear(error) : refused(error, 'payment-not-possible');
  if (error instanceof Stripe.errors.StripeRateLimitError) return throttled(error);
  if (error instanceof Stripe.errors.StripeInvalidRequestError) {
    const meaning = requestMeaning(error);
    switch (meaning) {
      case 'moved':
        return { kind: 'moved', message, thrown: error };
      case 'throttled':
        return throttled(error);
      case 'unknown':
        return unclear(error);
      case 'card-declined':
      case 'authentication-required':
      case 'payment-not-processed':
      case 'payment-refused':
      case 'payment-duplicate':
      case 'payment-not-possible':
      case 'amount-too-large':
      case 'amount-too-small':
        return refused(error, meaning);
    }
  }
  // Stripe keeps a 500 under its key. What stands before Stripe answers 502 to 504: the call may still be at work.
  if (error instanceof Stripe.errors.StripeAPIError && error.statusCode === 500)
    return { kind: 'spent', message: told(error), thrown: unsaid(error) };
  return unclear(error);
}

function unclear(error: unknown): PaymentFailure {
  return { kind: 'unknown', message: told(error), thrown: unsaid(error) };
}

/** For people, including callers: the kind of answer. The provider's own words may name our account and our key. */
function told(error: unknown): string {
  if (!(error instanceof Stripe.errors.StripeError)) return 'The payment provider gave no usable answer.';
  const { type, statusCode, requestId } = error;
  const status = statusCode === undefined ? '' : `, status ${statusCode}`;
  const request = requestId === undefined ? '' : `, request ${requestId}`;
  return `The payment provider gave no clear answer (${type}${status}${request}).`;
}

/** The provider's words go to the log, as the cause. */
function unsaid(error: unknown): Doubtful {
  return Object.assign(new Doubtful(told(error)), { cause: error });
}

/**
 * `Retry-After` in seconds (a date would compare the provider's clock with ours, so it is ignored). @returns
 * milliseconds
 */
function pause(header: string | undefined): number | undefined {
  const asked = seconds(Number(header));
  return asked > 0 && asked <= longestPause ? asked : undefined;
}

function throttled(error: Stripe.errors.StripeError): PaymentFailure {
  const message = `The payment provider asks us to wait (status ${error.statusCode ?? 429}).`;
  return { kind: 'throttled', message, thrown: new Throttled(message, pause(error.headers?.['retry-after'])) };
}

function refused(error: Stripe.errors.StripeError, code: PaymentCode): PaymentFailure {
  return { kind: 'refused', message: error.message, thrown: new Refused(requestRefusal(code, error)) };
}
