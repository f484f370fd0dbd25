import type { About } from './stores/about.ts';
import type { Database } from './stores/postgres/database.ts';
import { collectedContent } from './stores/postgres/uploads/collected-content.ts';
import { keptObjects } from './stores/postgres/uploads/kept-objects.ts';
import { forgetSession } from './stores/postgres/uploads/sessions/forget-session.ts';
import { readSegments } from './stores/postgres/uploads/sessions/read-pieces.ts';
import { deleteObject } from './stores/s3/delete-object.ts';
import { abortMultipart, listMultiparts } from './stores/s3/multipart/abort-multipart.ts';
import { listObjects } from './stores/s3/list-objects.ts';
import type { ObjectStore } from './stores/s3/object-store.ts';
import { thumbnailPrefix, uploadPrefix } from './stores/s3/upload-keys.ts';

/**
 * Deletes what an operation has written and nobody refers to: bytes that did not count, bytes that another upload had
 * already brought, and objects of contents that its undo gave up. It lists what is there instead of remembering it, so
 * it also finds what a process left that died between its write and its row.
 * @param evenUnrecorded whether multipart uploads are looked for that the ledger knows nothing of
 * @returns how many objects and multipart uploads were found and removed
 */
export async function removeObjects(
  database: Database,
  store: ObjectStore,
  about: About,
  evenUnrecorded = false,
): Promise<number> {
  const { operation, tenant } = about;
  let removed = await abortMultiparts(database, store, about, evenUnrecorded);
  const brought = await listObjects(store, uploadPrefix(operation));
  const kept = await keptObjects(database, tenant, brought);
  const strays = brought.filter((key) => !kept.has(key));
  for (const key of strays) await deleteObject(store, key);
  removed += strays.length;
  for (const { id, objectKey } of await collectedContent(database, tenant, operation)) {
    const thumbnails = await listObjects(store, thumbnailPrefix(id));
    // The object may have been brought by another upload, whose prefix was not listed here.
    for (const key of [...thumbnails, objectKey]) await deleteObject(store, key);
    removed += thumbnails.length;
  }
  await forgetSession(database, tenant, operation);
  return removed;
}

/**
 * Gives up the multipart uploads of an operation: those in the ledger, and those that a process began and died before it
 * could record them. Completed ones are objects by now.
 */
async function abortMultiparts(
  database: Database,
  store: ObjectStore,
  { operation, tenant }: About,
  evenUnrecorded: boolean,
): Promise<number> {
  const recorded = await readSegments(database, tenant, operation);
  if (recorded === undefined && !evenUnrecorded) return 0;
  const found = [...(recorded ?? []), ...(await listMultiparts(store, uploadPrefix(operation)))];
  let aborted = 0;
  for (const upload of found) if (await abortMultipart(store, upload)) aborted += 1;
  return aborted;
}
