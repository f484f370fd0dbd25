import { milliseconds, minutes, seconds } from './duration.ts';

/** How long one try takes at most, and how it is tried again. */
export type Tries = {
  /** Milliseconds. */
  readonly longestTry: number;
  /** Before the second try; each further pause is `growth` times as long, up to `longestPause`. Milliseconds. */
  readonly firstPause: number;
  readonly growth: number;
  /** Milliseconds. */
  readonly longestPause: number;
  /** Undefined: it is tried until there is an outcome. */
  readonly atMost?: number;
};

/** Where a step runs, and on what budget. Its undo has the same. */
export type Budget = {
  /**
   * It is first tried beside the story, which costs Temporal's server nothing. If that gives no outcome, it becomes a
   * task of its own.
   */
  readonly near?: Tries;
  readonly far: Tries;
  /** The worker that runs the tasks. */
  readonly worker: 'operations' | 'media';
};

/**
 * The budgets by name, each number with its reason. Figures were measured on 2 cores (docs/measurements.md).
 */
export const budgets = {
  /** Rows of ours: a millisecond or so. Five tries outlast a dropped connection, or a failover of a second or two. */
  ledger: {
    near: { longestTry: seconds(5), firstPause: milliseconds(100), growth: 2, longestPause: seconds(10), atMost: 5 },
    far: { longestTry: seconds(5), firstPause: milliseconds(300), growth: 2, longestPause: seconds(2) },
    worker: 'operations',
  },
  /**
   * A call to an outside system. It answers in well under a second, and each task that is saved is 10 ms of CPU. If it
   * does not, the step is in doubt and is sent again under the same key.
   */
  outside: {
    near: { longestTry: seconds(3), firstPause: seconds(1), growth: 2, longestPause: seconds(10), atMost: 1 },
    far: { longestTry: seconds(12), firstPause: milliseconds(300), growth: 2, longestPause: seconds(10) },
    worker: 'operations',
  },
  /** Reading and hashing bytes: 5 GiB at 100 MB/s is under a minute, and the slowest store that we allow is slower. */
  bytes: {
    far: { longestTry: minutes(15), firstPause: milliseconds(300), growth: 2, longestPause: seconds(10) },
    worker: 'operations',
  },
  /**
   * Decoding pictures. A picture that takes longer is an attack, and one that crashes the decoder crashes it five
   * times at most. Four pauses of 1, 4, 16 and 64 s outlast an object store that is away for a minute.
   */
  media: {
    far: { longestTry: minutes(2), firstPause: seconds(1), growth: 4, longestPause: minutes(2), atMost: 5 },
    worker: 'media',
  },
} as const satisfies Readonly<Record<string, Budget>>;

export type Placement = keyof typeof budgets;

/** A move of the ledger itself, without which nothing can go on. Five seconds without an answer are a failover. */
export const ledgerMove: Tries = {
  longestTry: seconds(5),
  firstPause: milliseconds(100),
  growth: 2,
  longestPause: seconds(2),
};

/** Long work sends heartbeats this often, so that one may be lost and the next late before the work counts as dead. */
export const heartbeat = milliseconds(500);
