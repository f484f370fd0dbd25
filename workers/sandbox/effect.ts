/** What happened at the provider. Whatever moved money, or could have, leaves an effect. */
export type EffectType =
  | 'payment_intent.created'
  | 'payment_intent.updated'
  | 'payment_intent.requires_action'
  | 'payment_intent.confirmed'
  | 'payment_intent.declined'
  | 'payment_intent.captured'
  | 'payment_intent.canceled'
  | 'refund.created'
  /** Asked for, and nothing has moved yet. */
  | 'refund.pending'
  /** Failed before anything had moved. */
  | 'refund.dropped'
  | 'refund.failed'
  | 'dispute.created'
  | 'dispute.won'
  | 'dispute.lost'
  | 'payout.paid';

/** One line of the audit. */
export interface Effect {
  type: EffectType;
  /** Minor units. For a cancellation: the part of an authorisation that it released. */
  amount: number;
  currency: string;
  operation: string | null;
  idempotencyKey: string | null;
  requestId: string;
  at: string;
  metadata: Record<string, string>;
  object: string;
  /** null for a payout, which is of no payment. */
  paymentIntent: string | null;
}

/** Keeps the effects that match every given filter. An absent filter matches all. */
export function filterEffects(effects: readonly Effect[], query: URLSearchParams): Effect[] {
  const operation = query.get('operation');
  const type = query.get('type');
  const intent = query.get('payment_intent');
  const key = query.get('key');
  return effects.filter(
    (effect) =>
      (operation === null || effect.operation === operation) &&
      (type === null || effect.type === type) &&
      (intent === null || effect.paymentIntent === intent) &&
      (key === null || effect.idempotencyKey === key),
  );
}
