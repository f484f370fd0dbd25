import type { LedgerMoves } from '../operation/call.ts';
import type { Placement } from '../operation/budget.ts';

/** A step or undo to run. */
export type Work = {
  readonly activity: string;
  /** For people. */
  readonly says: string;
  readonly step: string;
  readonly placement: Placement;
  /** When tries end, by the teller's clock; undefined for never. Milliseconds. */
  readonly until?: number | undefined;
  /** How long it is tried after a first try without a clear outcome; undefined for ever. Milliseconds. */
  readonly within?: number | undefined;
  /** Whether a cancel interrupts its pauses. */
  readonly cancellable: boolean;
  /** The first try has already been without a clear outcome. */
  readonly again: boolean;
  /** A first try without a clear outcome ends as `failed`. */
  readonly brief?: boolean;
};

/**
 * Tells a story: it runs steps, waits, knows the time, and shows people what goes on. It is all that the engine knows
 * of where it runs.
 */
export type Teller = {
  /** This run, in whose name the operation is taken over. */
  readonly run: string;
  /** Milliseconds since 1970; the same when the story is told again. */
  now(): number;
  /** Time since this run was requested; it may have waited for a worker. Milliseconds. */
  age(): number;
  /** Each move is repeated until the ledger answers. */
  readonly ledger: LedgerMoves;
  /** Runs an activity once, or a few times if the ledger does not answer. @throws Unfinished */
  look<Call, Reply>(activity: string, says: string, call: Call): Promise<Reply>;
  /**
   * Runs a step or an undo until its outcome is known.
   * @throws Unfinished; `interrupted` if there is news; the effect may still have happened
   */
  perform<Call, Reply>(work: Work, call: Call): Promise<Reply>;
  /** The number of times that there was news from the ledger. */
  heard(): number;
  /** Sleeps until there is more news than `seen`, at most `atMost` milliseconds. */
  listen(seen: number, atMost: number): Promise<void>;
  /** Shows people what goes on, and which step waits or fails. */
  show(details: string, troubled?: string): void;
  /** A log line for people who run the worker. */
  log(message: string, about: Readonly<Record<string, unknown>>): void;
};
