import { movementId } from './movement.ts';
import type { PaymentIntent } from './payment-intent.ts';

/** The money side of a PaymentIntent, as it was at one time. */
export interface Charge {
  id: string | null;
  intent: PaymentIntent;
  /** Minor units that its refunds have given back. */
  refunded: number;
  disputed: boolean;
  /** Its number in the money ledger; undefined until the money is taken. */
  movement: number | undefined;
}

/** A charge as Stripe writes it. */
export function presentCharge({ id, intent, refunded, disputed, movement }: Charge) {
  const { state } = intent;
  const captured = state.status === 'succeeded' ? state.received : 0;
  return {
    id,
    object: 'charge',
    amount: intent.amount,
    amount_captured: captured,
    amount_refunded: refunded,
    balance_transaction: movement === undefined ? null : movementId(movement),
    captured: captured > 0,
    created: intent.created,
    currency: intent.currency,
    customer: intent.customer,
    description: intent.description,
    disputed,
    livemode: false,
    metadata: intent.metadata,
    paid: state.status === 'succeeded' || state.status === 'requires_capture',
    payment_intent: intent.id,
    receipt_email: intent.receiptEmail,
    refunded: captured > 0 && refunded === captured,
    status: state.status === 'requires_payment_method' ? 'failed' : 'succeeded',
  };
}
