/** A call of an outside system that is about to be made. */
export type GuardedCall = {
  /** `retry`: the same step or undo was sent before. `look`: a question without an effect. */
  readonly kind: 'first' | 'retry' | 'look';
  /** The call itself ends after this long. Milliseconds. */
  readonly timeout: number;
  /** Ends with the try. */
  readonly signal: AbortSignal;
};

/**
 * Makes a call of an outside system, or turns it away.
 * @throws HeldBack when it was not made
 */
export type Guard = <T>(call: GuardedCall, make: (signal: AbortSignal) => Promise<T>) => Promise<T>;

/** For what no system is declared for: PostgreSQL and the object store, on which the engine itself stands. */
export const unguarded: Guard = async ({ signal }, make) => await make(signal);
