import { randomBytes } from 'node:crypto';
import type { Effect } from './effect.ts';
import type { Execution, Outcome } from './execution.ts';
import type { Journal } from './journal.ts';
import type { Ledger, LedgerEntry } from './ledger.ts';
import type { StoredAnswer } from './key-store.ts';
import { now, type Settings } from './settings.ts';
import { serverFailure, StripeError } from './stripe-error.ts';

/** The request on whose behalf something is executed. */
interface Cause {
  requestId: string;
  path: string;
  key: { value: string; fingerprint: string } | null;
}

/** How an execution is made to fail: without its effect, or after it. */
export type Sabotage = 'fails_before' | 'fails_after' | undefined;

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Executes requests one at a time. Each becomes one line of the journal. */
export class Provider {
  readonly ledger: Ledger;
  readonly settings: Settings;
  readonly #journal: Journal;

  constructor(ledger: Ledger, settings: Settings, journal: Journal) {
    this.ledger = ledger;
    this.settings = settings;
    this.#journal = journal;
  }

  /** Nothing here awaits, so no other request can come between the decision and its entry. */
  execute(execution: Execution, cause: Cause, sabotage: Sabotage): StoredAnswer {
    const at = now(this.settings);
    const { status, body, ...moved } = this.#decide(execution, at, sabotage);
    const entry: LedgerEntry = {
      at,
      ...cause,
      // A provider that keeps successes only: the key is free again.
      key: this.settings.profile === 'only_2xx' && status >= 300 ? null : cause.key,
      answer: { status, body: JSON.stringify(body) },
      paymentIntents: moved.paymentIntents,
      refunds: moved.refunds,
      ...(moved.disputes === undefined ? {} : { disputes: moved.disputes }),
      ...(moved.payouts === undefined ? {} : { payouts: moved.payouts }),
      effects: moved.effects.map((effect) => this.#effect(effect, cause, at)),
    };
    this.ledger.apply(entry);
    this.#journal.append(entry);
    return entry.answer;
  }

  /** Resolves when everything so far is on the disk. No request is answered before that, not even a read. */
  durable(): Promise<void> {
    return this.#journal.durable();
  }

  #decide(execution: Execution, at: number, sabotage: Sabotage): Outcome {
    const failure = failed(serverFailure());
    if (sabotage === 'fails_before') return failure;
    try {
      const outcome = execution(this.ledger, { at, newId });
      return sabotage === 'fails_after' ? { ...outcome, status: failure.status, body: failure.body } : outcome;
    } catch (error) {
      if (error instanceof StripeError) return sabotage === 'fails_after' ? failure : failed(error);
      throw error;
    }
  }

  #effect({ type, amount, about }: Outcome['effects'][number], cause: Cause, at: number): Effect {
    const paymentIntent = 'paymentIntent' in about ? about.paymentIntent : 'clientSecret' in about ? about.id : null;
    // A refund may belong to an operation of its own. If it names none, it belongs to the payment's.
    const operation = about.metadata.operation ?? this.#metadataOf(paymentIntent ?? '').operation ?? null;
    return {
      type,
      amount,
      currency: about.currency,
      operation,
      idempotencyKey: cause.key?.value ?? null,
      requestId: cause.requestId,
      at: new Date(at).toISOString(),
      metadata: about.metadata,
      object: about.id,
      paymentIntent,
    };
  }

  #metadataOf(intent: string): Record<string, string> {
    return this.ledger.versions.get(intent)?.at(-1)?.intent.metadata ?? {};
  }
}

/** An id that looks like Stripe's: the prefix, then 24 letters and digits. */
export function newId(prefix: string): string {
  let id = `${prefix}_`;
  for (const byte of randomBytes(24)) id += ALPHABET[byte % ALPHABET.length];
  return id;
}

function failed(error: StripeError): Outcome {
  return { status: error.status, body: { error: error.body }, paymentIntents: [], refunds: [], effects: [] };
}
