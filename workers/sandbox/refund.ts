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
}

/** What may be refunded: never more than was captured and has not been refunded yet. */
export function refundable(
  intent: PaymentIntent,
  earlier: readonly Refund[],
  wanted: number | undefined,
): { amount: number; charge: string } {
  const { state } = intent;
  if (state.status !== 'succeeded') {
    throw invalidRequest(`This PaymentIntent (${intent.id}) does not have a successful charge to refund.`, {
      code: 'payment_intent_unexpected_state',
      param: 'payment_intent',
    });
  }
  const left = state.received - earlier.reduce((sum, refund) => sum + refund.amount, 0);
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

/** A refund as Stripe writes it. */
export function presentRefund(refund: Refund) {
  return {
    id: refund.id,
    object: 'refund',
    amount: refund.amount,
    balance_transaction: null,
    charge: refund.charge,
    created: refund.created,
    currency: refund.currency,
    destination_details: { type: 'card', card: { type: 'refund' } },
    metadata: refund.metadata,
    payment_intent: refund.paymentIntent,
    reason: refund.reason,
    receipt_number: null,
    status: 'succeeded',
  };
}
