import type { Database } from '../stores/postgres/database.ts';
import type { Counts } from '../stores/postgres/sweeps/sweep-pass.ts';
import type { ObjectStore } from '../stores/s3/object-store.ts';

/** What a sweep has found, for whoever wants to see each thing. */
export type Finding = {
  readonly what: string;
  /** A key of the bucket, or the id of a row. */
  readonly thing: string;
  readonly bytes: number;
  readonly outcome: 'removed' | 'would be removed' | 'lost' | 'not ours' | 'failed';
};

/** What a stage works with. */
export type SweepReach = {
  /** Sees the rows of all tenants. */
  readonly database: Database;
  readonly objects: ObjectStore;
  /** false: it only looks. */
  readonly removes: boolean;
  /** What is younger may still get its row, by whatever clock. Milliseconds. */
  readonly minAge: number;
  /** Now, by the clock of this process. */
  readonly now: number;
  /** What was written before is none of this ledger's. */
  readonly bornAt: Date;
  readonly found: (finding: Finding) => void;
};

/** One kind of thing that may be left over, looked at page by page. */
export type SweepStage = {
  readonly name: string;
  /**
   * Repeatable.
   * @param after where the page before ended; '' at the beginning
   * @returns where this one ended; undefined at the end
   */
  readonly look: (
    reach: SweepReach,
    after: string,
  ) => Promise<{ readonly after: string | undefined; readonly counts: Counts }>;
};
