import type Stripe from 'stripe';
import { EffectFree } from '../outcomes/effect-free.ts';
import type { Undoing } from '../sending.ts';
import { findPayment } from './find-payment.ts';
import { paymentFailure } from './payment-failure.ts';

/**
 * Ends a payment so that no money has moved, whatever happened before. It learns the intent's id by repeating the
 * request under the same key, cancels the intent, and refunds what was captured in the meantime. Each call has a key,
 * so all of it may be repeated.
 */
export async function unwindPayment(
  stripe: Stripe,
  request: Stripe.PaymentIntentCreateParams,
  known: string | undefined,
  sending: Undoing,
  keyWindow: number,
): Promise<void> {
  const id = known ?? (await learnId(stripe, request, sending, keyWindow));
  if (id === undefined) return;
  const options = { timeout: sending.timeout, maxNetworkRetries: 0 };
  const intent = await stripe.paymentIntents
    .cancel(id, {}, { ...options, idempotencyKey: `${sending.key}:cancel` })
    .catch(async (error: unknown) => {
      const { kind, thrown } = paymentFailure(error);
      if (kind !== 'moved' && kind !== 'spent') throw thrown;
      return await stripe.paymentIntents.retrieve(id, {}, options);
    });
  if (intent.status === 'canceled') return;
  // The payment has not changed, and the key would return its stored failure for ever.
  if (intent.status !== 'succeeded')
    throw new EffectFree(`The payment ${id} is ${intent.status} and could not be cancelled yet`);
  const refund = await stripe.refunds
    .create({ payment_intent: id }, { ...options, idempotencyKey: `${sending.key}:refund` })
    .catch(async (error: unknown) => {
      const refunds = await stripe.refunds.list({ payment_intent: id }, options);
      const back = refunds.data.filter(givesBack).reduce((sum, { amount }) => sum + amount, 0);
      if (back >= intent.amount_received) return;
      const { kind, message, thrown } = paymentFailure(error);
      throw kind === 'spent' ? new EffectFree(message) : thrown;
    });
  if (refund !== undefined && !givesBack(refund))
    throw new EffectFree(
      `The refund ${refund.id} of ${id} is ${refund.status ?? 'unknown'}: the money is still with us`,
    );
}

/** A refund may be refused by the bank after it was made: then nothing was given back. */
function givesBack({ status }: Stripe.Refund): boolean {
  return status === 'succeeded' || status === 'pending';
}

async function learnId(
  stripe: Stripe,
  request: Stripe.PaymentIntentCreateParams,
  { operation, age, timeout, stepKey }: Undoing,
  keyWindow: number,
): Promise<string | undefined> {
  if (age <= keyWindow) {
    try {
      const asked = { idempotencyKey: stepKey, timeout, maxNetworkRetries: 0 };
      return (await stripe.paymentIntents.create(request, asked)).id;
    } catch (error) {
      const { kind, thrown } = paymentFailure(error);
      // The request was refused, or the key is spent: it names no intent that anyone could confirm.
      if (kind === 'refused' || kind === 'spent') return undefined;
      throw thrown;
    }
  }
  // Past the window only a search can find it.
  return (await findPayment(stripe, { operation, timeout }))?.id;
}
