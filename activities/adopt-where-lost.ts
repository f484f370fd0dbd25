import type { Database } from './stores/postgres/database.ts';
import { adoptObject } from './stores/postgres/uploads/adopt-object.ts';
import { headObject } from './stores/s3/head-object.ts';
import type { ObjectStore } from './stores/s3/object-store.ts';

/** What an upload has brought, and the object that its content had already; null: begun by a build that did not say it. */
export type Tidied = { readonly content: string; readonly brought: string; readonly kept: string } | null;

/**
 * Where the scope had the bytes already, those that were brought are not needed. But if the object store has lost its object,
 * they are the only ones: the content takes them, for all its files.
 * @returns the key of the object that the content has taken
 */
export async function adoptWhereLost(
  database: Database,
  store: ObjectStore,
  tenant: string,
  tidied: Tidied,
): Promise<string | undefined> {
  if (tidied === null || tidied.brought === tidied.kept) return undefined;
  if ((await headObject(store, tidied.kept)) !== undefined) return undefined;
  return (await adoptObject(database, tenant, tidied)) ? tidied.brought : undefined;
}
