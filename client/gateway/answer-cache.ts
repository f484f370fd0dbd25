import { LRUCache } from 'lru-cache';
import type { Scope } from '../../workflows/operation/key.ts';
import type { SettledReply } from './reply.ts';

type CachedAnswer = {
  readonly fingerprint: string;
  /** One object for all its replays, so that the HTTP API prepares headers and body only once. */
  readonly replay: SettledReply;
};

/** Enough for the last hours of a shop with ten orders a second. Bytes. */
const bytes = 64 * 1024 * 1024;
/** What headers, dates and the maps themselves add to an entry. Bytes. */
const overhead = 600;
/** How late an expiry may be noticed. The cache's default of 1 ms sets a timer for nearly every lookup. Milliseconds. */
const exactness = 50;

/** The first layer: settled answers only, since nothing about them changes except that they expire or are erased. */
export class AnswerCache {
  readonly #answers: LRUCache<string, CachedAnswer> | undefined;
  /** The scope of each answer, by its operation. */
  readonly #scopes = new Map<string, string>();

  /** @param entries 0 keeps nothing */
  constructor(entries: number) {
    if (entries === 0) return;
    this.#answers = new LRUCache({
      max: entries,
      maxSize: bytes,
      ttlResolution: exactness,
      // The HTTP API keeps the body as a string as well.
      sizeCalculation: ({ replay }, key) => 2 * replay.answer.body.length + key.length + overhead,
      dispose: ({ replay }) => this.#scopes.delete(replay.id),
    });
  }

  get(scope: string): CachedAnswer | undefined {
    return this.#answers?.get(scope);
  }

  /** @param longest milliseconds that it is kept at most */
  put(scope: string, answer: CachedAnswer, longest: number): void {
    if (this.#answers === undefined) return;
    const { id, answer: kept } = answer.replay;
    const ttl = Math.min(longest, kept.expiresAt.getTime() - Date.now());
    if (ttl <= 0) return;
    this.#answers.set(scope, answer, { ttl });
    // Last, since an answer that it replaces is disposed of with the same id. One that is too large is not kept.
    if (this.#answers.has(scope)) this.#scopes.set(id, scope);
  }

  /** @param operations undefined: all of them */
  forget(operations: readonly string[] | undefined): void {
    if (operations === undefined) this.#answers?.clear();
    for (const id of operations ?? []) {
      const scope = this.#scopes.get(id);
      if (scope !== undefined) this.#answers?.delete(scope);
    }
  }
}

/** A scope as one unambiguous string. */
export function scopeName({ tenant, environment, subject, flow, key }: Scope): string {
  return JSON.stringify([flow, tenant, environment, subject, key]);
}
