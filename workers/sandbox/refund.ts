import type { PaymentIntent } from './payment-intent.ts';
import { invalidRequest } from './stripe-error.ts';

export interface Refund {
  id: string;
  created: number;
  /** Minor units. */
  amount: number;
  currency: string;
  paymentIntent: string;
  charge: string;
  reason: string | null;
  metadata: Record<string, string>;
  /** The bank has not decided: nothing has moved yet. */
  pending?: boolean;
  /** The bank may send the money back days later. */
  failed?: { at: number; reason: string } | undefined;
}

export function givesBack({ failed }: Refund): boolean {
  return failed === undefined;
}

/**
 * What may be refunded: never more than was captured and has not been refunded yet, and nothing of what the bank has taken
 * back already.
 */
export function refundable(
  intent: PaymentIntent,
  { earlier, disputed }: { earlier: readonly Refund[]; disputed: boolean },
  wanted: number | undefined,
): { amount: number; charge: string } {
  const { state } = intent;
  if (state.status !== 'succeeded') {
    throw invalidRequest(`This PaymentIntent (${intent.id}) does not have a successful charge to refund.`, {
      code: 'payment_intent_unexpected_state',
      param: 'payment_intent',
    });
  }
  if (disputed) {
    throw invalidRequest(`Charge ${state.charge} has been charged back; cannot issue a refund.`, {
      code: 'charge_disputed',
    });
  }
  const left = leftOf(state.received, earlier);
  if (left === 0) {
    throw invalidRequest(`Charge ${state.charge} has already been refunded.`, { code: 'charge_already_refunded' });
  }
  const amount = wanted ?? left;
  if (amount > left) {
    throw invalidRequest(`Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`, {
      param: 'amount',
    });
  }
  return { amount, charge: state.charge };
}

/** What is left of a capture after its refunds. */
export function leftOf(received: number, refunds: readonly Refund[]): number {
  return received - refunds.filter(givesBack).reduce((sum, { amount }) => sum + amount, 0);
}

/** A refund as Stripe writes it. */
export function presentRefund(refund: Refund) {
  return {
    id: refund.id,
    object: 'refund',
    amount: refund.amount,
    balance_transaction: null,
    charge: refund.charge,
    created: refund.created,
    ...(refund.failed === undefined ? {} : { failure_reason: refund.failed.reason }),
    currency: refund.currency,
    destination_details: { type: 'card', card: { type: 'refund' } },
    metadata: refund.metadata,
    payment_intent: refund.paymentIntent,
    reason: refund.reason,
    receipt_number: null,
    status: statusOf(refund),
  };
}

function statusOf({ failed, pending }: Refund): 'succeeded' | 'pending' | 'failed' {
  if (failed !== undefined) return 'failed';
  return pending === true ? 'pending' : 'succeeded';
}
