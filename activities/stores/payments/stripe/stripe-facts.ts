import type Stripe from 'stripe';
import type { FactKind, FactOrigin, MoneyFact } from '../money-fact.ts';

/** By Stripe's reporting categories. Others, such as top-ups, belong to no order. */
const kinds: Readonly<Record<string, FactKind>> = {
  charge: 'captured',
  refund: 'refunded',
  partial_capture_reversal: 'refunded',
  refund_failure: 'refund_failed',
  dispute: 'disputed',
  dispute_reversal: 'dispute_won',
  payout: 'paid_out',
};

/** What a movement is of. */
type Source = {
  /** The object that is booked. */
  readonly object: string;
  /** Minor units of its own currency, which need not be that of the account. */
  readonly amount: number;
  readonly currency: string;
  readonly payment: string | null;
  readonly metadata: Stripe.Metadata;
  readonly live: boolean;
};

/** @returns the movement and its fee; none where it is of no kind that is booked */
export function factsOf(transaction: Stripe.BalanceTransaction, source: Source): readonly MoneyFact[] {
  const kind = kinds[transaction.reporting_category];
  if (kind === undefined || source.amount === 0) return [];
  const { object, payment, metadata, live } = source;
  const same = {
    object,
    payment,
    live,
    origin: originOf(metadata),
    at: new Date(transaction.created * 1000).toISOString(),
  };
  const moved = { ...same, kind, amount: Math.abs(source.amount), currency: source.currency };
  const { fee, currency } = transaction;
  if (fee === 0) return [moved];
  // Fees are taken, and given back, in the account's currency.
  return [moved, { ...same, kind: fee > 0 ? 'fee' : 'fee_returned', amount: Math.abs(fee), currency }];
}

/** What an expanded source says of itself; undefined where it is of a kind that is not booked. */
export function sourceOf(source: Stripe.BalanceTransaction['source'], live: boolean): Source | undefined {
  if (source === null || typeof source === 'string') return undefined;
  if (source.object === 'charge') {
    const { amount_captured: amount, currency, metadata } = source;
    const payment = idOf(source.payment_intent);
    // A charge that no PaymentIntent has made is not ours.
    return payment === null ? undefined : { object: payment, amount, currency, payment, metadata, live };
  }
  // Others, such as top-ups and transfers, are of no order.
  if (source.object !== 'refund' && source.object !== 'dispute' && source.object !== 'payout') return undefined;
  const { id: object, amount, currency, metadata } = source;
  const payment = source.object === 'payout' ? null : idOf(source.payment_intent);
  return { object, amount, currency, payment, metadata: metadata ?? {}, live };
}

export function originOf({ tenant, order, operation }: Stripe.Metadata): FactOrigin | undefined {
  return tenant === undefined ? undefined : { tenant, order, operation };
}

export function idOf(named: string | { readonly id: string } | null | undefined): string | null {
  return typeof named === 'string' ? named : (named?.id ?? null);
}
