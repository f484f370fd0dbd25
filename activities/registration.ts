import type { AnyFlow } from '../workflows/operation/flow.ts';
import type { MadeSteps } from './engine/flow-activities.ts';
import type { Seals } from './seal/seals.ts';
import type { About } from './stores/about.ts';
import type { Database, Statement } from './stores/postgres/database.ts';
import type { SettleInClaim } from './stores/postgres/ledger/claim.ts';
import type { Stray } from './stores/postgres/ledger/strays.ts';
import type { Reclaimed } from './stores/postgres/sweeps/sweep-record.ts';
import type { MediaStores, Stores } from './stores.ts';

/** Work that time alone makes due. It is found among the rows of all tenants, and done as each row's own tenant. */
export type Clearing<Due extends { readonly id: string; readonly tenant: string }> = {
  /** For the log: what is cleared away. */
  readonly name: string;
  /** @returns what is due; each is postponed, so that clearing which dies or fails is repeated */
  readonly due: (database: Database, limit: number) => Promise<readonly Due[]>;
  /** Repeatable. @returns what was removed */
  readonly clear: (stores: MediaStores, due: Due) => Promise<Reclaimed>;
};

/** All that a flow brings besides its declaration and its story. `activities/{flow}.ts` exports it as `registration`. */
export type Registration<Reach extends MediaStores = Stores> = {
  readonly flow: AnyFlow;
  /** Makes the steps that the operations worker runs. Every flow that has a workflow has some. */
  readonly steps?: (stores: Reach) => MadeSteps;
  /** Makes the one step of a flow without a workflow, which is done in its claim's own transaction. */
  readonly inClaim?: (database: Database, seals: Seals) => SettleInClaim;
  /** Makes the steps that the media worker runs. Only that worker imports what decodes files. */
  readonly media?: (stores: MediaStores) => Promise<MadeSteps>;
  /**
   * Finds what arrived outside after an operation had ended, and removes it (`sweepAfter` of the declaration).
   * @param found evidence that did not count
   * @returns what was found and removed
   */
  readonly sweep?: (stores: MediaStores, about: About, found: readonly Stray[]) => Promise<Reclaimed>;
  /** What upkeep clears away besides, when its time has come. */
  readonly clearing?: Clearing<{ readonly id: string; readonly tenant: string }>;
  /** Fills in what the tenants of a local stack begin with. Existing rows stay. */
  readonly seed?: (tenants: readonly string[]) => Statement;
};
