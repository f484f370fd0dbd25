import pLimit from 'p-limit';
import { LedgerFault } from '../../activities/stores/postgres/ledger-fault.ts';

/**
 * Claims that a process sends at once, fewer than it has connections. The others wait here: a crowd that waited for a
 * connection would take PostgreSQL for away after a second, and its replays would be refused.
 */
const claimsAtOnce = 20;

/** Gives claims their turn. Where so many in a row find PostgreSQL away, those that wait are told at once. */
export class ClaimTurns {
  readonly #turn = pLimit({ concurrency: claimsAtOnce, rejectOnClear: true });
  #failed = 0;

  /** @throws LedgerFault `unavailable` where PostgreSQL is away; nothing of `work` was begun, or it says so itself */
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
