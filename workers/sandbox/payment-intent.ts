import type { Decline } from './payment-method.ts';

/** The state of a PaymentIntent. Each state carries only its own data. */
export type PaymentIntentState =
  | { status: 'requires_payment_method'; charge: string | null; decline: (Decline & { method: string }) | null }
  | { status: 'requires_confirmation'; method: string }
  | { status: 'requires_action'; method: string }
  | { status: 'requires_capture'; method: string; charge: string; capturable: number }
  | { status: 'succeeded'; method: string; charge: string; received: number }
  | { status: 'canceled'; method: string | null; charge: string | null; at: number; reason: string | null };

export interface PaymentIntent {
  id: string;
  clientSecret: string;
  /** Seconds since 1970, as everywhere at Stripe. */
  created: number;
  /** Minor units. */
  amount: number;
  currency: string;
  captureMethod: 'automatic' | 'automatic_async' | 'manual';
  metadata: Record<string, string>;
  description: string | null;
  receiptEmail: string | null;
  customer: string | null;
  returnUrl: string | null;
  state: PaymentIntentState;
}

export function chargeOf(intent: PaymentIntent): string | null {
  const { state } = intent;
  switch (state.status) {
    case 'requires_payment_method':
    case 'requires_capture':
    case 'succeeded':
    case 'canceled':
      return state.charge;
    case 'requires_confirmation':
    case 'requires_action':
      return null;
  }
}

export function methodOf(intent: PaymentIntent): string | null {
  // Stripe detaches a declined method: the intent asks for a new one.
  return intent.state.status === 'requires_payment_method' ? null : intent.state.method;
}
