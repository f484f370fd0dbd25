import Stripe from 'stripe';
import { seconds } from '../../../../workflows/operation/duration.ts';
import { Doubtful } from '../../outcomes/doubtful.ts';
import { EffectFree } from '../../outcomes/effect-free.ts';
import type { Sending, Undoing } from '../../sending.ts';
import type { Payment, PaymentState } from '../payment.ts';
import type { Card, Looking, NextAction, OpenWish } from '../payment-provider.ts';
import { paymentFailure } from './payment-failure.ts';
import { cardRefusal } from './payment-refusal.ts';

/** A caller waits for the answer into which the next action goes. Milliseconds. */
const shownWithin = seconds(3);

/** Opens, confirms, captures and cancels PaymentIntents, which are Stripe's payments. */
export class StripePayments {
  readonly #stripe: Stripe;
  readonly #keyWindow: number;

  /** @param keyWindow after this long a key proves nothing. Milliseconds */
  constructor(stripe: Stripe, keyWindow: number) {
    this.#stripe = stripe;
    this.#keyWindow = keyWindow;
  }

  async open({ amount, currency, metadata }: OpenWish, sending: Sending): Promise<Payment> {
    if (sending.age > this.#keyWindow) return await this.#openedBefore(sending);
    const request: Stripe.PaymentIntentCreateParams = {
      ...{ amount, currency, metadata },
      capture_method: 'manual',
      allowed_payment_method_types: ['card'],
    };
    try {
      return paymentOf(await this.#stripe.paymentIntents.create(request, keyed(sending)));
    } catch (error) {
      const failure = paymentFailure(error);
      // An unconfirmed intent moves nothing: one left behind by a stored 500 is harmless, and a new key may be used.
      throw failure.kind === 'spent' ? new EffectFree(failure.message) : failure.thrown;
    }
  }

  /**
   * The key may have been forgotten: it would open another payment, and prove nothing. The index lags by about a minute, so
   * finding none proves nothing either. But a payment whose id nobody knows is never confirmed, and so moves nothing.
   */
  async #openedBefore({ operation, timeout }: Sending): Promise<Payment> {
    const query = `metadata['operation']:'${operation}'`;
    const { data } = await this.#stripe.paymentIntents.search({ query }, looks({ timeout })).catch(doubtful);
    const [found] = data;
    if (found === undefined) throw new EffectFree('No payment was opened that could be found');
    return paymentOf(found);
  }

  async confirm(id: string, { paymentMethod, returnUrl }: Card, sending: Sending): Promise<Payment> {
    const confirmed = {
      payment_method: paymentMethod,
      ...(returnUrl === undefined ? {} : { return_url: returnUrl }),
    };
    return await this.#settledBy(id, sending, () => this.#stripe.paymentIntents.confirm(id, confirmed, keyed(sending)));
  }

  async capture(id: string, amount: number, sending: Sending): Promise<Payment> {
    return await this.#settledBy(id, sending, () =>
      this.#stripe.paymentIntents.capture(id, { amount_to_capture: amount }, keyed(sending)),
    );
  }

  /** Sends. If the key can no longer be trusted, the intent itself says what has become of it. */
  async #settledBy(id: string, sending: Sending, send: () => Promise<Stripe.PaymentIntent>): Promise<Payment> {
    if (sending.age > this.#keyWindow) return await this.#now(id, sending);
    try {
      return paymentOf(await send());
    } catch (error) {
      const failure = paymentFailure(error);
      switch (failure.kind) {
        case 'spent':
        case 'moved':
          return await this.#now(id, sending);
        case 'declined':
        case 'refused':
        case 'throttled':
        case 'unknown':
          throw failure.thrown;
      }
    }
  }

  async cancel(id: string, undoing: Undoing): Promise<Payment> {
    try {
      const key = `${undoing.key}:cancel`;
      return paymentOf(await this.#stripe.paymentIntents.cancel(id, {}, keyed({ ...undoing, key })));
    } catch (error) {
      const { kind, thrown } = paymentFailure(error);
      if (kind !== 'moved' && kind !== 'spent') throw thrown;
      return await this.#now(id, undoing);
    }
  }

  /**
   * What a call before may have done. By its id an intent is read as it is, unlike what a search finds.
   * @throws Doubtful where it cannot be read: the call before may have been executed
   */
  async #now(id: string, looking: Looking): Promise<Payment> {
    return paymentOf(await this.#stripe.paymentIntents.retrieve(id, {}, looks(looking)).catch(doubtful));
  }

  async look(id: string, looking: Looking): Promise<Payment | undefined> {
    const found = await this.#stripe.paymentIntents.retrieve(id, {}, looks(looking)).catch((error: unknown) => {
      if (error instanceof Stripe.errors.StripeInvalidRequestError && error.code === 'resource_missing')
        return undefined;
      return unclear(error);
    });
    return found && paymentOf(found);
  }

  async nextAction(id: string): Promise<NextAction | undefined> {
    const intent = await this.#stripe.paymentIntents.retrieve(id, {}, looks({ timeout: shownWithin }));
    const url = intent.next_action?.redirect_to_url?.url;
    if (intent.status !== 'requires_action') return { type: 'over' };
    return url ? { type: 'redirect', url } : undefined;
  }
}

function paymentOf(intent: Stripe.PaymentIntent): Payment {
  const { id, amount, currency, livemode: live, metadata: origin, status: called } = intent;
  return { id, amount, currency, live, origin, called, state: stateOf(intent) };
}

function stateOf({ status, last_payment_error: error, amount_received: captured }: Stripe.PaymentIntent): PaymentState {
  switch (status) {
    case 'requires_payment_method':
      // Without an error the card was never tried: what failed was the call.
      return error === null ? { kind: 'open' } : { kind: 'declined', refusal: cardRefusal(error) };
    case 'requires_action':
      return { kind: 'asking' };
    case 'requires_capture':
      return { kind: 'authorised' };
    case 'succeeded':
      return { kind: 'captured', captured };
    case 'canceled':
      return { kind: 'cancelled' };
    case 'requires_confirmation':
    case 'processing':
    // What a later API version may have: nobody knows what it means, so it is looked at again.
    default:
      return { kind: 'open' };
  }
}

function looks({ timeout }: Looking): Stripe.RequestOptions {
  return { timeout, maxNetworkRetries: 0 };
}

function keyed({ key, timeout }: Pick<Sending, 'key' | 'timeout'>): Stripe.RequestOptions {
  // Retries are ours: the client's own would make calls that the ledger does not know.
  return { idempotencyKey: key, timeout, maxNetworkRetries: 0 };
}

/** A look decides nothing where it fails, whatever the provider says. */
function doubtful(error: unknown): never {
  throw new Doubtful(paymentFailure(error).message, { cause: error });
}

/** Likewise, and nothing else was sent in this try. */
function unclear(error: unknown): never {
  const failure = paymentFailure(error);
  throw failure.kind === 'throttled' ? failure.thrown : new Doubtful(failure.message, { cause: error });
}
