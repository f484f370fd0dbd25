import type { Finished, Hold, OperationRef } from '../operation/call.ts';
import type { AnyFlow } from '../operation/flow.ts';
import { bug } from './bug.ts';
import { NotOpened } from './not-opened.ts';
import { Unfinished } from './unfinished.ts';

/** What a run knows when it begins. */
type Begun = {
  readonly operation: OperationRef;
  readonly fence: number;
  /** The run that takes the operation over with its first step; undefined once that has happened. */
  readonly opens: string | undefined;
  readonly done: Readonly<Record<string, unknown>>;
  /** An uncancellable step may have been sent. */
  readonly forward: boolean;
  /** When patience ends, by the teller's clock. Milliseconds. */
  readonly until: number;
};

/** How far a run has come with its operation. The only owner of what is carried to the ledger, of positions and of results. */
export class Progress {
  readonly #flow: AnyFlow;
  readonly #names: readonly string[];
  readonly #hold: Hold;
  readonly #done: Readonly<Record<string, unknown>>;
  #opens: string | undefined;
  #carry: readonly Finished[] = [];
  /** The position of the last step that was asked for; -1 before the first. */
  #reached = -1;
  #until: number;
  #forward: boolean;

  constructor(flow: AnyFlow, { operation, fence, opens, done, forward, until }: Begun) {
    this.#flow = flow;
    this.#names = Object.keys(flow.steps);
    this.#hold = { operation, fence };
    this.#opens = opens;
    this.#done = done;
    this.#forward = forward;
    this.#until = until;
  }

  /**
   * The declaration proves that each refusal has a way back, for steps in declared order. A story in another order
   * would be outside that proof.
   * @throws a bug when an earlier step is asked for after a later one
   */
  reach(step: string): void {
    const position = this.positionOf(step);
    if (position < this.#reached)
      throw bug(this.#flow, step, `was asked for after ${this.reached}, which its flow declares behind it`);
    this.#reached = position;
  }

  /** The last step that was asked for; '' before the first. */
  get reached(): string {
    return this.#names[this.#reached] ?? '';
  }

  positionOf(step: string): number {
    return this.#names.indexOf(step);
  }

  /** The result of a step that the ledger knew as done when this run began. */
  known(step: string): { readonly result: unknown } | undefined {
    return Object.hasOwn(this.#done, step) ? { result: this.#done[step] } : undefined;
  }

  /** The right to write, for a move that cannot take the operation over by itself. @throws NotOpened while nobody has */
  get held(): Hold {
    if (this.#opens !== undefined) throw new NotOpened();
    return this.#hold;
  }

  /** The right to write, for a step whose own transaction can take the operation over. */
  get opening(): Hold & { readonly opens?: string } {
    return this.#opens === undefined ? this.#hold : { ...this.#hold, opens: this.#opens };
  }

  get isOpened(): boolean {
    return this.#opens === undefined;
  }

  /** An earlier run may have tried the steps. */
  get isTakenOver(): boolean {
    return this.#hold.fence > 1;
  }

  /** The ledger has answered the first step. */
  opened(): void {
    this.#opens = undefined;
  }

  /** Steps that have ended and are not in the ledger yet. */
  get carry(): readonly Finished[] {
    return this.#carry;
  }

  /**
   * The ledger has taken what was carried. @param finished what has ended since then, and goes into the next
   * transaction
   */
  recorded(finished?: Finished): void {
    this.#carry = finished === undefined ? [] : [finished];
  }

  /** A step has ended. Its end goes into the next transaction. */
  ended(step: string, attempt: number, end: EndOf<Finished>): void {
    const finished = { ...end, step, position: this.positionOf(step), attempt } as Finished;
    this.#carry = [...this.#carry, finished];
  }

  /** From now on neither a cancel nor the end of patience stops the story. */
  goForward(): void {
    this.#forward = true;
  }

  /** When patience ends, by the teller's clock; undefined once it no longer counts. Milliseconds. */
  get until(): number | undefined {
    return this.#forward ? undefined : this.#until;
  }

  /** A step has waited for something from outside. That time does not count. Milliseconds. */
  patienceStoodStill(waited: number): void {
    this.#until += waited;
  }

  /** @throws Unfinished when patience has ended, so that the story is undone */
  expectPatience(now: number): void {
    if (this.until !== undefined && this.until <= now)
      throw new Unfinished({ kind: 'impatient' }, `The patience of ${this.#flow.name} has ended`);
  }
}

/** How a step has ended, without its name. */
type EndOf<F> = F extends Finished ? Omit<F, 'step' | 'position' | 'attempt'> : never;
