import type { Dispute } from './dispute.ts';
import type { Effect } from './effect.ts';
import { KeyStore, type StoredAnswer } from './key-store.ts';
import { eventsOf, type ProviderEvent } from './provider-event.ts';
import { type Movement, movementOf } from './movement.ts';
import type { Payout } from './payout.ts';
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
  disputes?: Dispute[] | undefined;
  payouts?: Payout[] | undefined;
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
  /** What was told of them, oldest first. */
  readonly events: ProviderEvent[] = [];
  /** Every version with its time, because the search lags and sees an old one. */
  readonly versions = new Map<string, Version[]>();
  readonly refunds = new Map<string, Refund>();
  readonly disputes = new Map<string, Dispute>();
  readonly payouts = new Map<string, Payout>();
  /** How money has moved, oldest first. */
  readonly movements: Movement[] = [];
  /** What the shop has with the provider, by currency. Minor units. */
  readonly balance = new Map<string, number>();
  readonly #refundsByIntent = new Map<string, Set<string>>();
  readonly #disputesByIntent = new Map<string, Set<string>>();
  readonly #movementsByObject = new Map<string, number[]>();

  apply(entry: LedgerEntry): void {
    for (const intent of entry.paymentIntents) {
      const version = { at: entry.at, intent };
      const earlier = this.versions.get(intent.id);
      if (earlier === undefined) this.versions.set(intent.id, [version]);
      else earlier.push(version);
    }
    for (const refund of entry.refunds) {
      this.refunds.set(refund.id, refund);
      group(this.#refundsByIntent, refund);
    }
    for (const dispute of entry.disputes ?? []) {
      this.disputes.set(dispute.id, dispute);
      group(this.#disputesByIntent, dispute);
    }
    for (const payout of entry.payouts ?? []) this.payouts.set(payout.id, payout);
    for (const effect of entry.effects) this.#move(effect, entry.at);
    this.effects.push(...entry.effects);
    this.events.push(...eventsOf(entry, (object) => this.movementsOf(object)[0]));
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
    return [...(this.#refundsByIntent.get(intent) ?? [])].flatMap((id) => this.refunds.get(id) ?? []);
  }

  disputesOf(intent: string): readonly Dispute[] {
    return [...(this.#disputesByIntent.get(intent) ?? [])].flatMap((id) => this.disputes.get(id) ?? []);
  }

  /** The numbers of an object's movements, oldest first. */
  movementsOf(object: string): readonly number[] {
    return this.#movementsByObject.get(object) ?? [];
  }

  #move(effect: Effect, at: number): void {
    const movement = movementOf(effect, at);
    if (movement === undefined) return;
    const { object, currency, amount, fee } = movement;
    const earlier = this.#movementsByObject.get(object);
    if (earlier === undefined) this.#movementsByObject.set(object, [this.movements.length]);
    else earlier.push(this.movements.length);
    this.movements.push(movement);
    this.balance.set(currency, (this.balance.get(currency) ?? 0) + amount - fee);
  }
}

function group(groups: Map<string, Set<string>>, { id, paymentIntent }: { id: string; paymentIntent: string }): void {
  const earlier = groups.get(paymentIntent);
  if (earlier === undefined) groups.set(paymentIntent, new Set([id]));
  else earlier.add(id);
}
