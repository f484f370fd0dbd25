import { LRUCache } from 'lru-cache';
import { minutes } from '../../workflows/operation/duration.ts';

const window = minutes(1);
/** Keys whose operations are open and that are asked for again. Beyond these, the oldest is counted anew. */
const most = 10_000;

/** Counts how often each key is asked for while its operation is open. Times are milliseconds. */
export class KeyAttempts {
  readonly #perMinute: number;
  readonly #counts = new LRUCache<string, { readonly since: number; attempts: number }>({ max: most });

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /**
   * Counts one attempt.
   * @param name of the operation
   * @returns how long to wait where it is one too many; undefined where it may go on
   */
  count(name: string, now: number): number | undefined {
    let count = this.#counts.get(name);
    if (count === undefined || count.since + window <= now) {
      count = { since: now, attempts: 0 };
      this.#counts.set(name, count);
    }
    count.attempts += 1;
    return count.attempts > this.#perMinute ? count.since + window - now : undefined;
  }
}
