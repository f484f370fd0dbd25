import type { Effect } from './effect.ts';

/** One line of the provider's own money ledger: a balance transaction. */
export interface Movement {
  /** Milliseconds since 1970. */
  at: number;
  type: 'charge' | 'refund' | 'refund_failure' | 'adjustment' | 'payout';
  category: 'charge' | 'refund' | 'refund_failure' | 'dispute' | 'dispute_reversal' | 'payout';
  /** Minor units; negative where the shop's balance falls. */
  amount: number;
  fee: number;
  currency: string;
  /** What moved the money: a PaymentIntent, a refund, a dispute, a payout. */
  object: string;
}

/** Lines of the money ledger are numbered, so their ids are their places. */
export function movementId(n: number): string {
  return `txn_${String(n).padStart(9, '0')}`;
}

/** The bank's work on a dispute, given back where the shop wins. Minor units, whatever the currency. */
const DISPUTE_FEE = 1500;

/** 1.5 % and 25 minor units, as Stripe takes of cards in Europe; rounded up, in whole numbers. */
function feeOf(amount: number): number {
  return Math.min(amount, Math.floor((amount * 15 + 999) / 1000) + 25);
}

/** @returns undefined where no money has moved */
export function movementOf({ type, amount, currency, object }: Effect, at: number): Movement | undefined {
  const same = { at, currency, object };
  switch (type) {
    case 'payment_intent.captured':
      return { ...same, type: 'charge', category: 'charge', amount, fee: feeOf(amount) };
    case 'refund.created':
      return { ...same, type: 'refund', category: 'refund', amount: -amount, fee: 0 };
    case 'refund.failed':
      return { ...same, type: 'refund_failure', category: 'refund_failure', amount, fee: 0 };
    case 'dispute.created':
      return { ...same, type: 'adjustment', category: 'dispute', amount: -amount, fee: DISPUTE_FEE };
    case 'dispute.won':
      return { ...same, type: 'adjustment', category: 'dispute_reversal', amount, fee: -DISPUTE_FEE };
    case 'payout.paid':
      return { ...same, type: 'payout', category: 'payout', amount: -amount, fee: 0 };
    case 'refund.pending':
    case 'refund.dropped':
    case 'payment_intent.created':
    case 'payment_intent.updated':
    case 'payment_intent.requires_action':
    case 'payment_intent.confirmed':
    case 'payment_intent.declined':
    case 'payment_intent.canceled':
    case 'dispute.lost':
      return undefined;
  }
}
