import type { Effect } from './effect.ts';
import { KeyStore, type StoredAnswer } from './key-store.ts';
import type { PaymentIntent } from './payment-intent.ts';
import type { Refund } from './refund.ts';
import { missingResource } from './stripe-error.ts';

/** One executed request. Its effects, its objects and its stored answer exist together or not at all. */
export interface LedgerEntry {
  /** Milliseconds since 1970. */
  at: number;
  requestId: string;
  path: string;
  key: { value: string; fingerprint: string } | null;
  answer: StoredAnswer;
  paymentIntents: PaymentIntent[];
  refunds: Refund[];
  effects: Effect[];
}

interface Version {
  at: number;
  intent: PaymentIntent;
}

/** Everything the provider knows, rebuilt from the journal by applying its entries in order. */
export class Ledger {
  readonly keys = new KeyStore();
  readonly effects: Effect[] = [];
  /** Every version with its time, because the search lags and sees an old one. */
  readonly versions = new Map<string, Version[]>();
  readonly refunds = new Map<string, Refund>();
  readonly #refundsByIntent = new Map<string, Refund[]>();

  apply(entry: LedgerEntry): void {
    for (const intent of entry.paymentIntents) {
      const version = { at: entry.at, intent };
      const earlier = this.versions.get(intent.id);
      if (earlier === undefined) this.versions.set(intent.id, [version]);
      else earlier.push(version);
    }
    for (const refund of entry.refunds) {
      this.refunds.set(refund.id, refund);
      const earlier = this.#refundsByIntent.get(refund.paymentIntent);
      if (earlier === undefined) this.#refundsByIntent.set(refund.paymentIntent, [refund]);
      else earlier.push(refund);
    }
    this.effects.push(...entry.effects);
    if (entry.key !== null) {
      const { value, fingerprint } = entry.key;
      this.keys.store(value, entry.path, fingerprint, entry.at, entry.requestId, entry.answer);
    }
  }

  /** @param param the parameter that named it, for the error */
  paymentIntent(id: string, param = 'intent'): PaymentIntent {
    const newest = this.versions.get(id)?.at(-1);
    if (newest === undefined) throw missingResource('payment_intent', id, param);
    return newest.intent;
  }

  refundsOf(intent: string): readonly Refund[] {
    return this.#refundsByIntent.get(intent) ?? [];
  }
}
