import type { Locks } from './leader.ts';
import { newKey } from './new-key.ts';

/** What the SDK takes from where it runs. */
export type Surroundings = {
  readonly fetch: typeof fetch;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Between 0 and 1. */
  readonly random: () => number;
  /** Ends early, without an error, once the signal is aborted. */
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Aborts after so many milliseconds. */
  readonly timeout: (milliseconds: number) => AbortSignal;
  readonly newKey: () => string;
  /** Undefined where there are no Web Locks. */
  readonly locks: Locks | undefined;
};

/** A browser, or Node. */
export function usualSurroundings(): Surroundings {
  return {
    fetch: (...asked) => fetch(...asked),
    now: Date.now,
    random: Math.random,
    sleep,
    timeout: (milliseconds) => AbortSignal.timeout(milliseconds),
    newKey,
    locks: (globalThis as unknown as { readonly navigator?: { readonly locks?: Locks } }).navigator?.locks,
  };
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener('abort', end);
  });
}
