import { uploadFlow } from '../workflows/upload.flow.ts';
import { removeObjects } from './remove-objects.ts';
import type { About } from './stores/about.ts';
import { type Stray, strays } from './stores/postgres/ledger/strays.ts';
import { forgetContents } from './stores/postgres/uploads/collected-content.ts';
import type { MediaStores } from './stores.ts';

/**
 * Looks, some time after an operation has ended, for what arrived outside, and removes it.
 * @param found evidence that did not count
 * @returns how many things were found and removed
 */
type Sweep = (stores: MediaStores, about: About, found: readonly Stray[]) => Promise<number>;

/** What is looked for, by flow (`sweepAfter` of its declaration). A flow that has something to look for adds its line here. */
const sweeps: Readonly<Record<string, Sweep>> = {
  // An upload's objects are found by their prefix, whoever has told of them.
  async [uploadFlow.name]({ database, objects }, about) {
    const removed = await removeObjects(database, objects, about);
    await forgetContents(database, about.tenant, about.operation);
    return removed;
  },
};

/** @returns a sweep for each flow that declares one */
export function createSweeps(stores: MediaStores): Readonly<Record<string, (about: About) => Promise<number>>> {
  return Object.fromEntries(
    Object.entries(sweeps).map(([flow, sweep]) => [
      flow,
      async (about: About) =>
        await sweep(stores, about, await strays(stores.database, { id: about.operation, tenant: about.tenant })),
    ]),
  );
}
