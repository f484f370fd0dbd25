import type { Protection } from '../outside/protection.ts';
import { minutes, seconds } from '../../workflows/operation/duration.ts';

/** Short, so that a retry that is turned away waits for seconds. */
const window = seconds(10);
const cell = seconds(1);
/** A later turn than this would outlast the trouble. */
const longestWait = minutes(1);

type Cell = { readonly from: number; sends: number; retries: number };

/** Keeps the retries of a system under their share of its calls. Times are milliseconds. */
export class RetryBudget {
  readonly #share: number;
  readonly #atLeast: number;
  #cells: Cell[] = [];
  /** The last turn that was given to a retry. */
  #lastTurn = 0;

  constructor({ retryShare, retriesAtLeast }: Pick<Protection, 'retryShare' | 'retriesAtLeast'>) {
    this.#share = retryShare;
    this.#atLeast = retriesAtLeast;
  }

  /** Whether one more retry stays within the share. */
  allows(now: number): boolean {
    const { sends, retries } = this.#counted(now);
    return retries + 1 <= this.#limit(sends + 1);
  }

  sent(now: number, isRetry: boolean): void {
    this.#forget(now);
    const from = now - (now % cell);
    let newest = this.#cells.at(-1);
    if (newest?.from !== from) {
      newest = { from, sends: 0, retries: 0 };
      this.#cells.push(newest);
    }
    newest.sends += 1;
    if (isRetry) newest.retries += 1;
  }

  /**
   * Gives a retry that was turned away its turn, one behind the other, so that they do not all come back at once.
   * @returns the time until then
   */
  turn(now: number): number {
    const { sends } = this.#counted(now);
    const first = this.#cells.find(({ retries }) => retries > 0)?.from ?? now;
    const free = Math.max(now, first + cell + window);
    const spaced = this.#lastTurn + window / this.#limit(sends);
    this.#lastTurn = Math.min(Math.max(free, spaced), now + longestWait);
    return Math.ceil(this.#lastTurn - now);
  }

  #limit(sends: number): number {
    return Math.max(this.#atLeast, sends * this.#share);
  }

  #counted(now: number): { readonly sends: number; readonly retries: number } {
    this.#forget(now);
    return this.#cells.reduce(
      (sum, { sends, retries }) => ({ sends: sum.sends + sends, retries: sum.retries + retries }),
      { sends: 0, retries: 0 },
    );
  }

  /** A cell counts until its newest call is a whole window old. */
  #forget(now: number): void {
    this.#cells = this.#cells.filter(({ from }) => from + cell + window > now);
  }
}
