type EpochParts = {
  /** The epoch as the process found it at its start. */
  readonly begun: number;
  readonly read: () => Promise<number>;
  /** Raises the ledger's epoch to at least this. @returns what it then is */
  readonly raise: (least: number) => Promise<number>;
  /** Calls back with each new epoch that is heard. */
  readonly hear: (callback: (epoch: number) => void) => void;
};

/**
 * A copy may outlive its answer by a second at most. NOTIFY tells of a new epoch at once, but a notification can be lost
 * with its connection: so the number is also read this often. One process asks for a row of one column. Milliseconds.
 */
const readEvery = 300;
/** After this long without a reading nobody knows whether copies still hold. Milliseconds. */
const trustedFor = 900;
/** More than any process can have heard beyond what this one knows. */
const beyondAll = 1_000;

/**
 * The number that every copy of a settled answer carries. It grows when an answer changes or goes before its time (erased,
 * revoked, corrected), and then all copies are stale: in memory and in Redis, in every process. One number serves the
 * whole ledger, since such a change is rare and costs one read of PostgreSQL for each key that is asked for again.
 *
 * A failover may lose a commit that raised it, and a backup that is restored many. The ledger would then give numbers out
 * again that copies of a lost past carry. Whoever reads less than it knew raises the number beyond all of them.
 */
export class AnswerEpoch {
  #newest: number;
  #readAt = performance.now();
  #reading = false;
  readonly #read: EpochParts['read'];
  readonly #raise: EpochParts['raise'];
  readonly #timer: NodeJS.Timeout;

  constructor({ begun, read, raise, hear }: EpochParts) {
    this.#newest = begun;
    this.#read = read;
    this.#raise = raise;
    hear((epoch) => this.#learn(epoch));
    this.#timer = setInterval(() => void this.#look(), readEvery).unref();
  }

  /** The newest epoch that is known here. An answer's copy carries the one from before the answer was read. */
  get now(): number {
    return this.#newest;
  }

  /** Whether it was read within the last second. */
  get isFresh(): boolean {
    return performance.now() - this.#readAt < trustedFor;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    const [asked, known] = [performance.now(), this.#newest];
    try {
      const epoch = await this.#read();
      // News that comes meanwhile may be newer than what was read; what was known before it was committed before.
      this.#learn(epoch < known ? await this.#raise(known + beyondAll) : epoch);
      this.#readAt = asked;
    } catch {
      // PostgreSQL is away, and its own readers say so.
    } finally {
      this.#reading = false;
    }
  }

  /** News and readings overtake each other. */
  #learn(epoch: number): void {
    this.#newest = Math.max(this.#newest, epoch);
  }
}
