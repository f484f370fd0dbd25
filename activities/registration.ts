import type { AnyFlow } from '../workflows/operation/flow.ts';
import type { MadeSteps } from './engine/flow-activities.ts';
import type { About } from './stores/about.ts';
import type { Statement } from './stores/postgres/database.ts';
import type { Stray } from './stores/postgres/ledger/strays.ts';
import type { MediaStores, Stores } from './stores.ts';

/** All that a flow brings besides its declaration and its story. `activities/{flow}.ts` exports it as `registration`. */
export type Registration<Reach extends MediaStores = Stores> = {
  readonly flow: AnyFlow;
  /** Makes the steps that the operations worker runs. */
  readonly steps: (stores: Reach) => MadeSteps;
  /** Makes the steps that the media worker runs. Only that worker imports what decodes files. */
  readonly media?: (stores: MediaStores) => Promise<MadeSteps>;
  /**
   * Finds what arrived outside after an operation had ended, and removes it (`sweepAfter` of the declaration).
   * @param found evidence that did not count
   * @returns how many things were found and removed
   */
  readonly sweep?: (stores: MediaStores, about: About, found: readonly Stray[]) => Promise<number>;
  /** Fills in what the tenants of a local stack begin with. Existing rows stay. */
  readonly seed?: (tenants: readonly string[]) => Statement;
};
