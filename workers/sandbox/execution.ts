import type { Dispute } from './dispute.ts';
import type { EffectType } from './effect.ts';
import type { Form } from './form.ts';
import type { Ledger } from './ledger.ts';
import type { PaymentIntent } from './payment-intent.ts';
import type { Payout } from './payout.ts';
import type { Refund } from './refund.ts';

/** What an execution takes from outside: the time and fresh ids. */
export interface Moment {
  /** Milliseconds since 1970. */
  at: number;
  newId(prefix: string): string;
}

/** What an execution decided. Nothing has happened until the ledger holds it. */
export interface Outcome {
  status: number;
  body: unknown;
  paymentIntents: PaymentIntent[];
  refunds: Refund[];
  disputes?: Dispute[];
  payouts?: Payout[];
  effects: { type: EffectType; amount: number; about: PaymentIntent | Refund | Dispute | Payout }[];
}

export type Execution = (ledger: Ledger, moment: Moment) => Outcome;

/** Checks a request's parameters. As at Stripe, what it throws is not stored under the key. */
export type Prepare = (form: Form, id: string) => Execution;
