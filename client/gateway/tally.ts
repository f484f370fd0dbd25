/**
 * Operations in hand by tenant: the count of the last look, corrected by what has begun and ended here since. Each look
 * makes it right again, whatever was missed.
 */
export class Tally {
  #counts = new Map<string, number>();
  #all = 0;
  #fewest = 0;
  /** Claims under way, and the changes since the current look began. */
  readonly #claiming = new Map<string, number>();
  #since: Map<string, number> | undefined;

  get all(): number {
    return this.#all;
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  of(tenant: string): number {
    return this.#counts.get(tenant) ?? 0;
  }

  /**
   * Call when a claim begins.
   * @returns a function to call with whether the claim put one more operation into the workers' hands
   */
  begin(tenant: string): (counts: boolean) => void {
    add(this.#claiming, tenant, 1);
    this.#change(tenant, 1);
    return (counts) => {
      add(this.#claiming, tenant, -1);
      if (!counts) this.#change(tenant, -1);
    };
  }

  end(tenant: string): void {
    this.#change(tenant, -1);
  }

  /**
   * Call when a look begins.
   * @returns a function that takes what the look counted and returns the fewest operations in hand since the look
   *   before
   */
  recount(): (counted: ReadonlyMap<string, number>) => number {
    const claiming = new Map(this.#claiming);
    const since = new Map<string, number>();
    this.#since = since;
    return (counted) => {
      const counts = new Map(counted);
      for (const changes of [claiming, since]) for (const [tenant, by] of changes) add(counts, tenant, by);
      this.#since = undefined;
      this.#counts = counts;
      this.#all = [...counts.values()].reduce((sum, count) => sum + count, 0);
      const fewest = Math.min(this.#fewest, this.#all);
      this.#fewest = this.#all;
      return fewest;
    };
  }

  #change(tenant: string, by: number): void {
    if (this.#since !== undefined) this.#since.set(tenant, (this.#since.get(tenant) ?? 0) + by);
    this.#all += add(this.#counts, tenant, by);
    this.#fewest = Math.min(this.#fewest, this.#all);
  }
}

/**
 * Drops a count that reaches zero.
 * @returns the actual change, which is less when an operation ends that was never counted
 */
function add(counts: Map<string, number>, tenant: string, by: number): number {
  const before = counts.get(tenant) ?? 0;
  const after = Math.max(0, before + by);
  if (after === 0) counts.delete(tenant);
  else counts.set(tenant, after);
  return after - before;
}
