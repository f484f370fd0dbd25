/** Money that the provider has sent to the bank account of the shop. */
export interface Payout {
  id: string;
  created: number;
  /** Minor units. */
  amount: number;
  currency: string;
  metadata: Record<string, string>;
}

/** A payout as Stripe writes it. */
export function presentPayout(payout: Payout) {
  return { ...payout, object: 'payout', arrival_date: payout.created, livemode: false, status: 'paid' };
}
