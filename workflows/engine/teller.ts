import type { LedgerMoves } from '../operation/call.ts';
import type { Placement } from '../operation/budget.ts';

/** One step or undo that is to be run. */
export type Work = {
  readonly activity: string;
  /** For people. */
  readonly says: string;
  readonly step: string;
  readonly placement: Placement;
  /** The last time by the teller's clock, after which it is not tried any more; undefined tries on. Milliseconds. */
  readonly until?: number | undefined;
  /** How long it is tried once it was not clear at first; undefined tries on. Milliseconds. */
  readonly within?: number | undefined;
  /** Whether a cancel interrupts its pauses. */
  readonly cancellable: boolean;
  /** It was not clear at first already. */
  readonly again: boolean;
  /** Ends as `failed` where it is not clear at first. */
  readonly brief?: boolean;
};

/**
 * What tells a story: it runs steps, waits, knows the time, and shows people what goes on. All that the engine knows of where
 * it runs.
 */
export type Teller = {
  /** This run, in whose name the operation is taken over. */
  readonly run: string;
  /** Milliseconds since 1970; the same when the story is told again. */
  now(): number;
  /** Since this run was asked for: it may have waited for a worker. Milliseconds. */
  age(): number;
  /** Each move is repeated until the ledger answers. */
  readonly ledger: LedgerMoves;
  /** Runs an activity once, or a few times where the ledger does not answer. @throws Unfinished */
  look<Call, Reply>(activity: string, says: string, call: Call): Promise<Reply>;
  /**
   * Runs a step or an undo until its outcome is known.
   * @throws Unfinished; `interrupted` where there is news: what it was about may have happened all the same
   */
  perform<Call, Reply>(work: Work, call: Call): Promise<Reply>;
  /** How often there was news from the ledger. */
  heard(): number;
  /** Sleeps until there is more news than `seen`, at most `atMost` milliseconds. */
  listen(seen: number, atMost: number): Promise<void>;
  /** Shows people what goes on, and which step waits or fails. */
  show(details: string, troubled?: string): void;
  /** For those who look after the worker. */
  log(message: string, about: Readonly<Record<string, unknown>>): void;
};
