import { seconds } from '../../workflows/operation/duration.ts';

/** Beyond this we cannot predict: the workers may be back long before. */
const longest = seconds(30);

/**
 * Gives refused callers a time to come back: one after the other, as fast as room becomes free for their tenant.
 * Otherwise they would all come back at once and be refused again.
 */
export class RetryTimes {
  /** The latest time given to a caller of each tenant. */
  readonly #last = new Map<string, number>();

  /**
   * @param over operations of the tenant that have to settle before there is room for one more
   * @param rate operations of the tenant that settle in a second
   * @returns when to come back, in milliseconds since 1970 like `at`
   */
  next(tenant: string, at: number, over: number, rate: number): number {
    const apart = 1_000 / Math.max(rate, 1 / 30);
    const room = at + over * apart;
    const after = (this.#last.get(tenant) ?? 0) + apart;
    const turn = Math.min(Math.max(room, after), at + longest);
    this.#last.set(tenant, turn);
    return turn;
  }

  /** Forgets tenants whose latest return time has passed. */
  forget(at: number): void {
    for (const [tenant, last] of this.#last) if (last < at) this.#last.delete(tenant);
  }
}
