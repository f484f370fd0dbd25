import { LRUCache } from 'lru-cache';
import { seconds } from '../../workflows/operation/duration.ts';
import type { Scope } from '../../workflows/operation/key.ts';
import type { SettledReply } from './reply.ts';

type CachedAnswer = {
  readonly fingerprint: string;
  /** From before the answer was read. */
  readonly epoch: number;
  /** One object for all its replays, so that the HTTP API prepares headers and body only once. */
  readonly replay: SettledReply;
};

/** Enough for the last hours of a shop with ten orders a second. Bytes. */
const bytes = 64 * 1024 * 1024;
/** What headers, dates and the map itself add to an entry. Bytes. */
const overhead = 500;
/** How long memory serves an answer without asking the ledger again. */
const lifetime = seconds(60);
/** How late an expiry may be noticed. The cache's default of 1 ms sets a timer for nearly every lookup. Milliseconds. */
const exactness = 50;

/** The first layer: settled answers only, since nothing about them changes except that they expire. */
export class AnswerCache {
  readonly #answers: LRUCache<string, CachedAnswer> | undefined;

  /** @param entries 0 keeps nothing */
  constructor(entries: number) {
    if (entries === 0) return;
    this.#answers = new LRUCache({
      max: entries,
      maxSize: bytes,
      ttlResolution: exactness,
      // The HTTP API keeps the body as a string as well.
      sizeCalculation: ({ replay }, key) => 2 * replay.answer.body.length + key.length + overhead,
    });
  }

  /** @param epoch the newest that is known; an answer of an earlier one may have changed since */
  get(scope: string, epoch: number): CachedAnswer | undefined {
    const cached = this.#answers?.get(scope);
    return cached?.epoch === epoch ? cached : undefined;
  }

  put(scope: string, answer: CachedAnswer): void {
    const ttl = Math.min(lifetime, answer.replay.answer.expiresAt.getTime() - Date.now());
    if (ttl > 0) this.#answers?.set(scope, answer, { ttl });
  }
}

/** A scope as one unambiguous string. */
export function scopeName({ tenant, environment, subject, flow, key }: Scope): string {
  return JSON.stringify([flow, tenant, environment, subject, key]);
}
