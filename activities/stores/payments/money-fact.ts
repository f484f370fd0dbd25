/** What can happen to money at a provider. Each books one row with two sides (`money_fact`). */
export type FactKind =
  | 'captured'
  | 'fee'
  | 'fee_returned'
  | 'refunded'
  | 'refund_failed'
  | 'disputed'
  | 'dispute_won'
  | 'paid_out';

/** One movement of money, as the provider tells it. */
export type MoneyFact = {
  /** What moved it, by the provider's id: a payment, a refund, a dispute, a payout. */
  readonly object: string;
  readonly kind: FactKind;
  /** Minor units, more than 0: the kind says in which direction. */
  readonly amount: number;
  /** Three letters in lower case. */
  readonly currency: string;
  /** By the provider's id; null where it is of no payment. */
  readonly payment: string | null;
  /** What the payment or the refund says of its origin; undefined where it is not ours, or says nothing. */
  readonly origin: FactOrigin | undefined;
  /** Whether it is real money. */
  readonly live: boolean;
  /** ISO 8601, by the provider's clock. */
  readonly at: string;
};

export type FactOrigin = {
  readonly tenant: string;
  readonly order: string | undefined;
  /** The operation that moved the money. */
  readonly operation: string | undefined;
};
