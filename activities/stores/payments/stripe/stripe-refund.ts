import Stripe from 'stripe';
import { EffectFree } from '../../outcomes/effect-free.ts';
import { Refused } from '../../outcomes/refused.ts';
import type { Sending, Undoing } from '../../sending.ts';
import { paymentFailure } from './payment-failure.ts';
import type { Looking, RefundWish } from '../payment-provider.ts';

/** As many refunds as one payment can have pages for; Stripe lists them newest first. */
const page = 100;

/** Refunds a part of the captured amount. */
export async function refundAt(
  stripe: Stripe,
  { payment, amount, refund, reason }: RefundWish,
  sending: Sending,
  keyWindow: number,
): Promise<string> {
  const { operation, tenant, key, timeout, age, attempt } = sending;
  // The key may have been forgotten: it would give the money back once more.
  if (age > keyWindow) return await madeBefore(stripe, payment, sending);
  // No state of the payment stops a second refund, and a provider may have lost the key: look before sending again.
  const before = attempt > 1 ? await findRefund(stripe, payment, operation, { timeout }) : undefined;
  if (before !== undefined) return before;
  try {
    const made = await stripe.refunds.create(
      {
        payment_intent: payment,
        amount,
        metadata: { operation, tenant, refund, ...(reason === undefined ? {} : { reason }) },
      },
      { idempotencyKey: key, timeout, maxNetworkRetries: 0 },
    );
    return taken(made);
  } catch (error) {
    if (error instanceof Refused) throw error;
    const failure = paymentFailure(error);
    switch (failure.kind) {
      case 'spent':
        return await madeBefore(stripe, payment, sending);
      case 'declined':
      case 'refused':
      case 'moved': {
        // An earlier try of ours may be what has moved it.
        const found = await findRefund(stripe, payment, operation, { timeout });
        if (found !== undefined) return found;
        throw new Refused(refusalOf(error));
      }
      case 'throttled':
      case 'unknown':
        throw failure.thrown;
    }
  }
}

/** Refunds are listed by their payment as they are, unlike what a search finds. */
export async function findRefund(
  stripe: Stripe,
  payment: string,
  operation: string,
  { timeout }: Looking,
): Promise<string | undefined> {
  const options = { timeout, maxNetworkRetries: 0 };
  for await (const refund of stripe.refunds.list({ payment_intent: payment, limit: page }, options))
    if (refund.metadata?.operation === operation) return taken(refund);
  return undefined;
}

/** @throws Refused where the bank did not take it, whichever try has heard that */
function taken({ id, status }: Stripe.Refund): string {
  if (status === 'failed' || status === 'canceled')
    throw new Refused({
      code: 'refund-refused',
      detail: `The buyer's bank does not take the refund ${id}: the money is still with us.`,
    });
  return id;
}

/** @returns minor units. A refund may be refused by the bank after it was made: then nothing was given back. */
export async function givenBack(stripe: Stripe, payment: string, { timeout }: Looking): Promise<number> {
  let sum = 0;
  const options = { timeout, maxNetworkRetries: 0 };
  for await (const refund of stripe.refunds.list({ payment_intent: payment, limit: page }, options))
    if (givesBack(refund)) sum += refund.amount;
  return sum;
}

/** Refunds all that is left of a captured payment. */
export async function giveAllBack(stripe: Stripe, payment: string, captured: number, undoing: Undoing): Promise<void> {
  const { key, timeout } = undoing;
  try {
    const options = { idempotencyKey: `${key}:refund`, timeout, maxNetworkRetries: 0 };
    const made = await stripe.refunds.create({ payment_intent: payment }, options);
    if (!givesBack(made))
      throw new EffectFree(
        `The refund ${made.id} of ${payment} is ${made.status ?? 'unknown'}: the money is still with us`,
      );
  } catch (error) {
    if (error instanceof EffectFree) throw error;
    if ((await givenBack(stripe, payment, undoing)) >= captured) return;
    const { kind, message, thrown } = paymentFailure(error);
    throw kind === 'spent' ? new EffectFree(message) : thrown;
  }
}

function givesBack({ status }: Stripe.Refund): boolean {
  return status === 'succeeded' || status === 'pending';
}

async function madeBefore(stripe: Stripe, payment: string, { operation, timeout }: Sending): Promise<string> {
  const found = await findRefund(stripe, payment, operation, { timeout });
  if (found === undefined) throw new EffectFree('No refund of this operation is there');
  return found;
}

/** The provider's own words may tell of our account, so they stay inside. */
function refusalOf(error: unknown) {
  const { code, param } = error instanceof Stripe.errors.StripeError ? error : {};
  if (code === 'charge_disputed')
    return {
      code: 'payment-disputed',
      detail:
        'The buyer has asked the bank for this money, and the bank has it. A refund would give it back twice. If you win the dispute, ask with a new key.',
    } as const;
  if (code === 'charge_already_refunded' || param === 'amount')
    return {
      code: 'refund-exceeds',
      detail:
        'The provider does not take this amount: more was given back there than we know of, or the currency has no such amount.',
    } as const;
  return {
    code: 'refund-refused',
    detail: 'The provider does not give this money back. Look at the payment there; nothing has moved.',
  } as const;
}
