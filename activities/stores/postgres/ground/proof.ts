/** One thing that the ledger depends on, and whether it holds. `/readyz?verbose` shows it as a check. */
export type Proof = {
  /** Short and stable: monitors match on it. */
  readonly name: string;
  readonly state: 'holds' | 'degraded' | 'failed';
  /** What was tried and found, and the setting to mend if it does not hold. */
  readonly says: string;
};

/**
 * The ledger must not be used here: something that it depends on was tried and does not hold. Its message is one line.
 */
export class GroundFault extends Error {
  override readonly name = 'GroundFault';
  readonly proofs: readonly Proof[];

  constructor(proofs: readonly Proof[], options: { cause?: unknown } = {}) {
    super(`The ground does not hold: ${failed(proofs).join(' ')}`, options);
    this.proofs = proofs;
  }
}

function failed(proofs: readonly Proof[]): string[] {
  return proofs.filter(({ state }) => state === 'failed').map(({ name, says }) => `${name}: ${says}`);
}

/** @throws GroundFault where one of the proofs has failed */
export function requireGround(proofs: readonly Proof[]): readonly Proof[] {
  if (failed(proofs).length > 0) throw new GroundFault(proofs);
  return proofs;
}

/** @returns the fault of the ground in an error's causes, if there is one */
export function groundFaultOf(error: unknown): GroundFault | undefined {
  if (error instanceof GroundFault) return error;
  return error instanceof Error && error.cause !== undefined ? groundFaultOf(error.cause) : undefined;
}
