import pLimit from 'p-limit';
import { LedgerFault } from '../../activities/stores/postgres/ledger-fault.ts';

/**
 * Claims that one process sends at once, fewer than it has connections. The others wait here. If a crowd waited for
 * connections instead, PostgreSQL would count as unavailable after a second, and replays would be refused.
 */
const claimsAtOnce = 20;

/** Gives each claim its turn. After this many failures in a row, the claims that still wait fail at once. */
export class ClaimTurns {
  readonly #turn = pLimit({ concurrency: claimsAtOnce, rejectOnClear: true });
  #failed = 0;

  /**
   * @throws LedgerFault `unavailable` when PostgreSQL cannot be reached; then `work` was not begun, or threw this
   *   itself
   */
  async take<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.#turn(() => this.#watched(work));
    } catch (error) {
      if ((error as { name?: string }).name !== 'AbortError') throw error;
      throw new LedgerFault('unavailable', 'PostgreSQL cannot be used now: the claims before this one have failed');
    }
  }

  async #watched<T>(work: () => Promise<T>): Promise<T> {
    try {
      const value = await work();
      this.#failed = 0;
      return value;
    } catch (error) {
      this.#failed += 1;
      if (this.#failed >= claimsAtOnce) this.#turn.clearQueue();
      throw error;
    }
  }
}
