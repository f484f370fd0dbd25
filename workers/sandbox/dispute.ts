import type { PaymentIntent } from './payment-intent.ts';
import { leftOf, type Refund } from './refund.ts';
import { invalidRequest } from './stripe-error.ts';

/** A buyer has asked the bank for the money back. The bank takes it at once, and decides later. */
export interface Dispute {
  id: string;
  created: number;
  /** Minor units. */
  amount: number;
  currency: string;
  paymentIntent: string;
  charge: string;
  reason: string;
  metadata: Record<string, string>;
  status: 'needs_response' | 'won' | 'lost';
}

/** Whether the bank holds the money of the payment: no refund can give it back a second time. */
export function takesBack({ status }: Dispute): boolean {
  return status !== 'won';
}

/** What the bank may take back: what is left after the refunds, once. @throws StripeError */
export function disputable(
  intent: PaymentIntent,
  { refunds, disputes }: { refunds: readonly Refund[]; disputes: readonly Dispute[] },
  wanted: number | undefined,
): { amount: number; charge: string } {
  const { state } = intent;
  if (state.status !== 'succeeded') throw invalidRequest(`${intent.id} has no charge that could be disputed.`);
  const left = disputes.some(takesBack) ? 0 : leftOf(state.received, refunds);
  const amount = wanted ?? left;
  if (amount > left || left === 0) throw invalidRequest(`Of ${intent.id} only ${left} can be disputed.`);
  return { amount, charge: state.charge };
}

/** A dispute as Stripe writes it. */
export function presentDispute({ paymentIntent, ...dispute }: Dispute) {
  return {
    ...dispute,
    object: 'dispute',
    is_charge_refundable: false,
    livemode: false,
    payment_intent: paymentIntent,
  };
}
