import Stripe from 'stripe';
import { seconds } from '../../../workflows/operation/duration.ts';
import { Doubtful, Refused, Throttled } from '../effect.ts';

/** A buyer waits: what asks for a longer pause than this is a mistake, and our own back-off is used. Milliseconds. */
const longestPause = seconds(60);

/** What a failed call to the provider means for the step that made it. */
export type PaymentFailure = { readonly message: string; readonly thrown: Error } & {
  readonly kind: /** The bank has said no: an answer like any other. */
    | 'declined'
    /** The provider has refused the request before doing anything. */
    | 'refused'
    /** The object is in another state than the request needs: look at it. */
    | 'moved'
    /** A failure stored under this key: it will be given for ever, and whether anything happened must be looked up. */
    | 'spent'
    /** Too many requests: this one was not executed. */
    | 'throttled'
    /** No complete answer, or the same key is still at work: it may have happened. */
    | 'unknown';
};

export function paymentFailure(error: unknown): PaymentFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Stripe.errors.StripeCardError)
    return {
      kind: 'declined',
      message,
      thrown: new Refused({
        code: 'card-declined',
        detail: message,
        more: error.decline_code === undefined ? {} : { declineCode: error.decline_code },
      }),
    };
  if (error instanceof Stripe.errors.StripeIdempotencyError)
    return error.statusCode === 409 ? stillAtWork(message) : { kind: 'refused', message, thrown: refused(message) };
  if (error instanceof Stripe.errors.StripeRateLimitError)
    return { kind: 'throttled', message, thrown: new Throttled(message, pause(error.headers?.['retry-after'])) };
  if (error instanceof Stripe.errors.StripeInvalidRequestError)
    return error.code === 'payment_intent_unexpected_state'
      ? { kind: 'moved', message, thrown: error }
      : { kind: 'refused', message, thrown: refused(message) };
  if (error instanceof Stripe.errors.StripeAPIError && (error.statusCode ?? 0) >= 500)
    return { kind: 'spent', message, thrown: new Doubtful(message) };
  if (error instanceof Stripe.errors.StripeError && error.statusCode === 409) return stillAtWork(message);
  return { kind: 'unknown', message, thrown: new Doubtful(`The payment provider gave no clear answer: ${message}`) };
}

function stillAtWork(message: string): PaymentFailure {
  return { kind: 'unknown', message, thrown: new Doubtful(message) };
}

/** `Retry-After` in seconds (a date is the provider's clock against ours: not of use). @returns milliseconds */
function pause(header: string | undefined): number | undefined {
  const asked = seconds(Number(header));
  return asked > 0 && asked <= longestPause ? asked : undefined;
}

function refused(message: string): Refused {
  return new Refused({ code: 'payment-refused', detail: message });
}
