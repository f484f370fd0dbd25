/**
 * For tests whose outside fails on purpose, much oftener than any outside does: no breaker opens, retries are not held
 * back, and what three of them did not settle goes on after a second or two.
 */
export const unhurried = {
  atOnce: 1_000,
  lastCalls: 1_000_000,
  retriesAtLeast: 1_000_000,
  behindCaller: 1_000,
} as const;
