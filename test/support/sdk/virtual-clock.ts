import { setImmediate } from 'node:timers/promises';

type Sleeper = { readonly until: number; readonly wake: () => void };

/** Time that passes at once: when all code waits, it is the time of whoever sleeps the shortest. */
export class VirtualClock {
  time = 1_000_000;
  readonly #sleepers = new Set<Sleeper>();

  readonly now = (): number => this.time;

  readonly sleep = (milliseconds: number, signal?: AbortSignal): Promise<void> => {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#sleepers.delete(sleeper);
        resolve();
      };
      const sleeper = { until: this.time + Math.max(0, milliseconds), wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', wake);
    });
  };

  readonly timeout = (milliseconds: number): AbortSignal => {
    const aborted = new AbortController();
    void this.sleep(milliseconds).then(() => aborted.abort(new DOMException('Timed out.', 'TimeoutError')));
    return aborted.signal;
  };

  /** Lets time pass until the promise is settled, or until `until`. */
  async pass<T>(promise: Promise<T>, until = Infinity): Promise<T | undefined> {
    let settled = false;
    const end = promise.finally(() => {
      settled = true;
    });
    end.catch(() => undefined);
    for (;;) {
      // Reading the body of a Response takes more than one turn.
      for (let turn = 0; turn < 4 && !settled; turn += 1) await setImmediate();
      if (settled) return await end;
      const [first] = [...this.#sleepers].toSorted((one, other) => one.until - other.until);
      if (first === undefined) throw new Error('Nobody sleeps, and the promise is not settled: it never will be.');
      if (first.until > until) {
        this.time = until;
        return undefined;
      }
      this.time = Math.max(this.time, first.until);
      first.wake();
    }
  }
}
