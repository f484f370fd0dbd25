/** What a test may change while the sandbox runs. */
export interface Settings {
  /** How long a stored answer is replayed. Stripe: "at least 24 hours". */
  keyWindowMs: number;
  /** How long the search does not see a change. Stripe: "under 1 minute" in normal conditions. */
  searchLagMs: number;
  /** Added to the machine's clock, so that a test can be 25 hours later. */
  clockOffsetMs: number;
  /**
   * How keys are kept. `stripe`: each answer, also a failure. `only_2xx`: a failure frees its key. `keyless`: keys are not
   * known at all.
   */
  profile: 'stripe' | 'only_2xx' | 'keyless';
}

export const defaultSettings: Readonly<Settings> = {
  keyWindowMs: 24 * 60 * 60 * 1000,
  searchLagMs: 60 * 1000,
  clockOffsetMs: 0,
  profile: 'stripe',
};

/** Milliseconds since 1970 by the sandbox's clock. */
export function now(settings: Settings): number {
  return Date.now() + settings.clockOffsetMs;
}
