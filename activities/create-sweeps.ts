import { removeObjects } from './remove-objects.ts';
import type { About } from './stores/about.ts';
import type { Database } from './stores/postgres/database.ts';
import { forgetContents } from './stores/postgres/uploads/collected-content.ts';
import type { ObjectStore } from './stores/s3/object-store.ts';

/** @returns how many things were found and removed */
type Sweep = (about: About) => Promise<number>;

/** What is looked for, by flow, some time after an operation has ended (`sweepAfter` of its declaration). */
export function createSweeps(stores: {
  readonly database: Database;
  readonly objects: ObjectStore;
}): Readonly<Record<string, Sweep>> {
  const { database, objects } = stores;
  return {
    async upload(about) {
      const removed = await removeObjects(database, objects, about);
      await forgetContents(database, about.tenant, about.operation);
      return removed;
    },
  };
}
