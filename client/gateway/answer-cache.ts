import { LRUCache } from 'lru-cache';
import { seconds } from '../../workflows/operation/duration.ts';
import type { Scope } from '../../workflows/operation/key.ts';
import type { SettledReply } from './reply.ts';

type CachedAnswer = {
  readonly fingerprint: string;
  readonly fingerprintVersion: number;
  /** One object for all its replays: what doors make of it they make once. */
  readonly replay: SettledReply;
};

/** The last hours of a shop with ten orders a second. Bytes. */
const bytes = 64 * 1024 * 1024;
/** Headers, dates and the map's own share of an entry. Bytes. */
const overhead = 500;
/** How long an erasure or a revoked answer may still be served from memory; the ledger is asked again after it. */
const lifetime = seconds(60);
/** How late an end may be noticed. The cache's default of 1 ms sets a timer for nearly every lookup. Milliseconds. */
const exactness = 50;

/** The first layer: settled answers only, since nothing about them can change but their end. */
export class AnswerCache {
  readonly #answers: LRUCache<string, CachedAnswer> | undefined;

  /** @param entries 0 keeps nothing */
  constructor(entries: number) {
    if (entries === 0) return;
    this.#answers = new LRUCache({
      max: entries,
      maxSize: bytes,
      ttlResolution: exactness,
      // Doors keep the body as a text as well.
      sizeCalculation: ({ replay }, key) => 2 * replay.answer.body.length + key.length + overhead,
    });
  }

  get(scope: string): CachedAnswer | undefined {
    return this.#answers?.get(scope);
  }

  put(scope: string, answer: CachedAnswer): void {
    const ttl = Math.min(lifetime, answer.replay.answer.expiresAt.getTime() - Date.now());
    if (ttl > 0) this.#answers?.set(scope, answer, { ttl });
  }
}

/** A scope as one string that cannot be read in two ways. */
export function scopeName({ tenant, environment, subject, flow, key }: Scope): string {
  return JSON.stringify([flow, tenant, environment, subject, key]);
}
