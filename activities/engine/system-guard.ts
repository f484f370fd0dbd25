import {
  bulkhead,
  BulkheadRejectedError,
  CircuitState,
  type CircuitBreakerPolicy,
  circuitBreaker,
  CountBreaker,
  handleWhen,
  type IPolicy,
  isBrokenCircuitError,
  TaskCancelledError,
  timeout,
  TimeoutStrategy,
  wrap,
} from 'cockatiel';
import type { Protection } from '../outside/protection.ts';
import { Doubtful } from '../stores/outcomes/doubtful.ts';
import { HeldBack } from '../stores/outcomes/held-back.ts';
import { Refused } from '../stores/outcomes/refused.ts';
import { Throttled } from '../stores/outcomes/throttled.ts';
import { Unconfirmed } from '../stores/outcomes/unconfirmed.ts';
import { LedgerFault } from '../stores/postgres/ledger-fault.ts';
import { seconds } from '../../workflows/operation/duration.ts';
import type { Guard, GuardedCall } from './guard.ts';
import { RetryBudget } from './retry-budget.ts';

/** What turned a call away. */
export type TurnedAwayBy = 'breaker' | 'bulkhead' | 'retry-budget';

/** Hears what a guard does, to count it and to tell people. */
type GuardWatch = {
  readonly sent: (kind: GuardedCall['kind']) => void;
  readonly turnedAway: (by: TurnedAwayBy) => void;
  /** Called when the breaker opens and when it closes. */
  readonly opened: (isOpen: boolean) => void;
};

/** A call ends itself within its time. One that does not is cut a little later, before Temporal gives the try up. */
const grace = 1.05;
/** By then one of that many calls has ended: they take well under a second. */
const bulkheadWait = seconds(1);

/** Thrown through the breaker by a call whose end says nothing about the system. */
class Unseen extends Error {}

/** What the system has answered, or the answer that the step throws. */
type Judged<T> = { readonly result: T } | { readonly answer: unknown };

/** Stands before one outside system in one process. Turns calls away that would harm the system, or everybody else. */
export class SystemGuard {
  readonly #called: string;
  readonly #halfOpenAfter: number;
  readonly #breaker: CircuitBreakerPolicy;
  readonly #policy: IPolicy<{ readonly signal: AbortSignal }, never>;
  readonly #budget: RetryBudget;
  readonly #watch: GuardWatch;
  #openedAt = 0;

  /** @param called the system as sentences call it, such as `the payment provider` */
  constructor(called: string, protection: Protection, watch: GuardWatch) {
    const { atOnce, lastCalls, failedShare, halfOpenAfter } = protection;
    this.#called = called;
    this.#halfOpenAfter = halfOpenAfter;
    this.#watch = watch;
    this.#budget = new RetryBudget(protection);
    // A trial call whose end nobody has seen must not close the breaker.
    const counts = (error: unknown) => !(error instanceof Unseen) || this.#breaker.state === CircuitState.HalfOpen;
    this.#breaker = circuitBreaker(handleWhen(counts), {
      halfOpenAfter,
      breaker: new CountBreaker({
        threshold: failedShare,
        size: lastCalls,
        minimumNumberOfCalls: Math.ceil(lastCalls / 2),
      }),
    });
    this.#breaker.onBreak(() => {
      this.#openedAt = Date.now();
      watch.opened(true);
    });
    this.#breaker.onReset(() => watch.opened(false));
    this.#policy = wrap(bulkhead(atOnce), this.#breaker);
  }

  readonly guard: Guard = async <T>(call: GuardedCall, make: (signal: AbortSignal) => Promise<T>) => {
    if (this.#leavesAlone) throw this.#heldBack('breaker');
    const isRetry = call.kind === 'retry';
    if (isRetry && !this.#budget.allows(Date.now())) throw this.#heldBack('retry-budget');
    let outcome: Judged<T>;
    try {
      outcome = await this.#policy.execute(async () => {
        this.#budget.sent(Date.now(), isRetry);
        this.#watch.sent(call.kind);
        return await this.#judged(call, make);
      });
    } catch (error) {
      if (error instanceof BulkheadRejectedError) throw this.#heldBack('bulkhead');
      if (isBrokenCircuitError(error)) throw this.#heldBack('breaker');
      throw error instanceof Unseen ? error.cause : error;
    }
    if ('answer' in outcome) throw outcome.answer;
    return outcome.result;
  };

  /** Whether the breaker is open and its pause is not over, or a trial call is under way. */
  get #leavesAlone(): boolean {
    switch (this.#breaker.state) {
      // Cockatiel would let further calls wait for the end of the trial call, and then send them with their time gone.
      case CircuitState.HalfOpen:
        return true;
      case CircuitState.Open:
        return this.#pauseLeft > 0;
      case CircuitState.Closed:
      case CircuitState.Isolated:
        return false;
    }
  }

  get #pauseLeft(): number {
    return Math.max(0, this.#openedAt + this.#halfOpenAfter - Date.now());
  }

  /**
   * Makes the call within its time.
   * @returns what the system has answered, be it a no: it is well
   * @throws whatever is no clear outcome; Unseen where that is not the system's fault
   */
  async #judged<T>(
    { timeout: within, signal }: GuardedCall,
    make: (signal: AbortSignal) => Promise<T>,
  ): Promise<Judged<T>> {
    const limit = timeout(Math.ceil(within * grace), TimeoutStrategy.Aggressive);
    try {
      return { result: await limit.execute((late) => make(AbortSignal.any([signal, late.signal]))) };
    } catch (error) {
      if (error instanceof Refused || error instanceof Throttled || error instanceof Unconfirmed)
        return { answer: error };
      if (signal.aborted || error instanceof LedgerFault) throw new Unseen('', { cause: error });
      if (error instanceof TaskCancelledError)
        throw new Doubtful(`${capital(this.#called)} gave no answer within ${within} ms.`, { cause: error });
      throw error;
    }
  }

  #heldBack(by: TurnedAwayBy): HeldBack {
    this.#watch.turnedAway(by);
    const who = capital(this.#called);
    switch (by) {
      case 'breaker': {
        // Spread over the next pause, so that what was turned away does not come back all at once.
        const wait = Math.ceil(this.#pauseLeft + Math.random() * this.#halfOpenAfter) + 1;
        return new HeldBack(`${who} gives no clear answers, so it is left alone for a moment. Nothing was sent.`, wait);
      }
      case 'bulkhead': {
        const wait = Math.ceil(bulkheadWait * (0.5 + Math.random()));
        return new HeldBack(`${who} has as many calls under way as it may have. Nothing was sent.`, wait);
      }
      case 'retry-budget':
        return new HeldBack(
          `${who} has had as many retries as are allowed for now. Nothing was sent.`,
          this.#budget.turn(Date.now()),
        );
    }
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
