import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { minutes, seconds } from '../../../../workflows/operation/duration.ts';

/**
 * "Legacy proxy servers are known to, in certain cases, drop HTTP connections after a short timeout. To protect against
 * such proxy servers, authors can include a comment line […] every 15 seconds or so" (HTML standard, 9.2.7).
 */
const heartbeat = seconds(15);
/**
 * What versions do not count, such as how far bytes have come, and that the reader has lost access, shows within this
 * time. It is one look for each open stream. Milliseconds.
 */
const lookAgain = seconds(15);
/** A reader that takes nothing for two heartbeats has gone, or cannot follow. Milliseconds. */
const patience = 2 * heartbeat;
/**
 * Readers come back by themselves, so an end costs them one request. It lets them move to processes that were added, and
 * bounds what a connection costs that nobody has closed. Milliseconds.
 */
const longest = minutes(5);
/** A ledger that is away is back in a second or two. Milliseconds. */
const retryLook = seconds(1);
/**
 * What an outside system was too slow to say, it says in a second or two. Each further look waits twice as long, up to
 * `lookAgain`: the system may be away. Milliseconds.
 */
const retryMissing = seconds(2);

const usualTimes = { heartbeat, lookAgain, patience, longest, retryLook, retryMissing };

/** The operation as its reader may see it now. */
type State = {
  /** One line of JSON. */
  readonly data: string;
  /** What it says. Two that differ in `data` alone, such as by a signature, say the same. */
  readonly says: string;
  readonly settled: boolean;
  /** Something belongs to it that could not be found out now. */
  readonly incomplete: boolean;
};

type StreamParts = {
  readonly to: Writable;
  /** The newest event that the reader has got in an earlier stream. */
  readonly last: number | undefined;
  /** Counts changes: a look that follows is at least as new. */
  readonly version: () => Promise<number | undefined>;
  /** @returns undefined when the reader may not see the operation any more, or it is not there */
  readonly look: () => Promise<State | undefined>;
  /** Calls back with versions, again and again. */
  readonly watch: (tell: (version: number | undefined) => void) => () => void;
  readonly times?: Partial<typeof usualTimes>;
};

/**
 * Sends the states of one operation until the last. It holds one event at a time, and makes the next when the reader has
 * taken that: a slow reader misses states in between, and never the newest.
 */
export class StateStream {
  readonly #parts: StreamParts;
  readonly #times: typeof usualTimes;
  readonly #until: number;
  readonly #over = new AbortController();
  /** The newest version that is known; undefined before the first. */
  #newest: number | undefined;
  /** Rings when nothing was written for the time of a heartbeat. */
  #silence: NodeJS.Timeout | undefined;
  #wake: () => void = () => undefined;

  constructor(parts: StreamParts) {
    this.#parts = parts;
    this.#times = { ...usualTimes, ...parts.times };
    this.#until = performance.now() + this.#times.longest;
  }

  /** Ends it before its time. Its reader comes back, to another process where this one stops. */
  end(): void {
    this.#over.abort();
    this.#wake();
  }

  /** Ends when the stream has. */
  async run(): Promise<void> {
    const { to, last, version, watch } = this.#parts;
    // It may have gone before anybody listened.
    if (to.destroyed) return;
    for (const event of ['close', 'error']) to.on(event, () => this.end());
    const stop = watch((found) => (found === undefined ? this.end() : this.#heard(found)));
    this.#silence = setInterval(() => void this.#comment(), this.#times.heartbeat);
    try {
      // The headers leave with the first bytes. Readers that lose this process together come back one by one.
      await this.#write(`retry: ${Math.round(seconds(1 + 2 * Math.random()))}\n\n`);
      // Without a ledger there is no stream, and its reader comes back.
      const found = await version().catch(() => undefined);
      if (found === undefined) return;
      this.#heard(found);
      await this.#states(last);
    } finally {
      stop();
      clearInterval(this.#silence);
      await this.#close();
    }
  }

  async #states(last: number | undefined): Promise<void> {
    const { lookAgain: usual, retryLook: afterFailure, retryMissing: first } = this.#times;
    let seen = last;
    /** What the reader knows. After an earlier stream nobody knows what that was: the first look tells it. */
    let told: string | undefined;
    let missing = first;
    let rest = usual;
    while (await this.#isDue(seen, rest)) {
      seen = this.#newest ?? 0;
      const state = await this.#parts.look().catch(() => 'failed' as const);
      if (state === undefined) return;
      if (state === 'failed') {
        rest = afterFailure;
        continue;
      }
      // A last state stays as it is, so that its version may be read behind it.
      const now = (state.settled ? await this.#parts.version().catch(() => undefined) : undefined) ?? seen;
      if (state.says !== told) await this.#write(`id: ${now}\nevent: state\ndata: ${state.data}\n\n`);
      if (state.settled) return;
      told = state.says;
      rest = state.incomplete ? Math.min(missing, usual) : usual;
      missing = state.incomplete ? rest * 2 : first;
    }
  }

  /**
   * Waits for a version that was not seen, at most for `rest`.
   * @returns false when the stream is over
   */
  async #isDue(seen: number | undefined, rest: number): Promise<boolean> {
    if (this.#newest === seen) await this.#rung(rest);
    return !this.#over.signal.aborted && performance.now() < this.#until;
  }

  /** A look that was slow may bring an older version than one before it. */
  #heard(version: number): void {
    if (this.#newest !== undefined && version <= this.#newest) return;
    this.#newest = version;
    this.#wake();
  }

  /** Waits until something was heard, at most for that time. */
  async #rung(within: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, Math.min(within, this.#until - performance.now())));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#over.signal.aborted) this.#wake();
    });
  }

  /** Keeps the connection open, also while looks fail or hang. What waits for its reader does as well. */
  async #comment(): Promise<void> {
    if (!this.#parts.to.writableNeedDrain) await this.#write(':\n\n');
  }

  /** What the reader has not taken yet may still leave, for as long as it may take for any event. */
  async #close(): Promise<void> {
    const { to } = this.#parts;
    if (to.destroyed) return;
    to.end();
    await finished(to, { signal: AbortSignal.timeout(this.#times.patience) }).catch(() => to.destroy());
  }

  /** Waits until the reader has taken it, and gives up one that takes nothing. */
  async #write(chunk: string): Promise<void> {
    const { to } = this.#parts;
    if (this.#over.signal.aborted) return;
    this.#silence?.refresh();
    if (to.write(chunk)) return;
    const signal = AbortSignal.any([this.#over.signal, AbortSignal.timeout(this.#times.patience)]);
    await once(to, 'drain', { signal }).catch(() => to.destroy());
  }
}
