/** One thing that a process needs before it takes work, and whether it holds now. */
export type Check = {
  /** Short and stable, such as `ledger` or `row-security`: monitors match on it. */
  readonly name: string;
  /** `degraded`: work is taken, and `says` tells what is lost. `failed`: no work is taken. */
  readonly state: 'holds' | 'degraded' | 'failed';
  /** One sentence for a person: what was tried and, where it does not hold, the setting that mends it. */
  readonly says: string;
};

const marks = { holds: '[+]', degraded: '[~]', failed: '[-]' } as const;

/** A process is ready unless a check has failed. */
export function isReady(checks: readonly Check[]): boolean {
  return checks.every(({ state }) => state !== 'failed');
}

/**
 * What `/readyz` answers with.
 * @param verbose one line for each check, as `/readyz?verbose` of Kubernetes has it
 */
export function readinessText(checks: readonly Check[], verbose: boolean): string {
  const verdict = isReady(checks) ? 'ok' : 'not ready';
  if (!verbose) return `${verdict}\n`;
  const lines = checks.map(({ name, state, says }) => `${marks[state]}${name}: ${says}`);
  return `${[...lines, verdict].join('\n')}\n`;
}
