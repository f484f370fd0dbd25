/** One thing that a process needs before it takes work, and whether it holds now. */
export type Check = {
  /** Short and stable, such as `ledger` or `row-security`: monitors match on it. */
  readonly name: string;
  /** `degraded`: the process takes work, and `says` names what is lost. `failed`: it takes no work. */
  readonly state: 'holds' | 'degraded' | 'failed';
  /** One sentence for an operator: what was tried and, if it does not hold, the setting that fixes it. */
  readonly says: string;
};

const marks = { holds: '[+]', degraded: '[~]', failed: '[-]' } as const;

/** A process is ready unless a check has failed. */
export function isReady(checks: readonly Check[]): boolean {
  return checks.every(({ state }) => state !== 'failed');
}

/**
 * The body of `/readyz`.
 * @param verbose gives one line for each check, like `/readyz?verbose` of Kubernetes
 */
export function readinessText(checks: readonly Check[], verbose: boolean): string {
  const verdict = isReady(checks) ? 'ok' : 'not ready';
  if (!verbose) return `${verdict}\n`;
  const lines = checks.map(({ name, state, says }) => `${marks[state]}${name}: ${says}`);
  return `${[...lines, verdict].join('\n')}\n`;
}
