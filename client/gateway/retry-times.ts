import { seconds } from '../../workflows/operation/duration.ts';

/** Past this nobody knows: the workers may be back long before. */
const longest = seconds(30);

/**
 * Says to refused callers when to come back: one after the other, as fast as room will come free for their tenant, so
 * that they do not come all at once and be refused again.
 */
export class RetryTimes {
  /** When the last one of each tenant was told to come. */
  readonly #last = new Map<string, number>();

  /**
   * @param over operations of the tenant that have to end before there is room for one more
   * @param rate operations of the tenant that end in a second
   * @returns when to come back; milliseconds since 1970, as `at`
   */
  next(tenant: string, at: number, over: number, rate: number): number {
    const apart = 1_000 / Math.max(rate, 1 / 30);
    const room = at + over * apart;
    const after = (this.#last.get(tenant) ?? 0) + apart;
    const turn = Math.min(Math.max(room, after), at + longest);
    this.#last.set(tenant, turn);
    return turn;
  }

  /** Forgets tenants whose last caller has come. */
  forget(at: number): void {
    for (const [tenant, last] of this.#last) if (last < at) this.#last.delete(tenant);
  }
}
