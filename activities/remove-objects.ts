import type { About } from './stores/about.ts';
import type { Database } from './stores/postgres/database.ts';
import type { Reclaimed } from './stores/postgres/sweeps/sweep-record.ts';
import { collectedContent } from './stores/postgres/uploads/collected-content.ts';
import { keptObjects } from './stores/postgres/uploads/kept-objects.ts';
import { forgetSession } from './stores/postgres/uploads/sessions/forget-session.ts';
import { endWriting } from './stores/postgres/uploads/sessions/end-writing.ts';
import { deleteObject } from './stores/s3/delete-object.ts';
import { abortMultipart } from './stores/s3/multipart/abort-multipart.ts';
import { openBytes } from './stores/s3/multipart/open-bytes.ts';
import { listMultiparts } from './stores/s3/multipart/list-multiparts.ts';
import { listObjects } from './stores/s3/list-objects.ts';
import type { StoredObject } from './stores/s3/list-page.ts';
import type { ObjectStore } from './stores/s3/object-store.ts';
import { thumbnailPrefix, uploadPrefix } from './stores/s3/upload-keys.ts';

/**
 * Deletes what an operation has written and nobody refers to: bytes that did not count, bytes that another upload had
 * already brought, and objects of contents that its undo gave up. It lists what is there instead of remembering it, so
 * it also finds what a process left that died between its write and its row.
 * @param evenUnrecorded whether multipart uploads are looked for that the ledger knows nothing of
 * @returns the objects and multipart uploads that were found and removed
 */
export async function removeObjects(
  database: Database,
  store: ObjectStore,
  about: About,
  evenUnrecorded = false,
): Promise<Reclaimed> {
  const { operation, tenant } = about;
  const removed = { ...(await abortMultiparts(database, store, about, evenUnrecorded)) };
  // From here on a writer that is still there is told that its bytes do not count, and removes them. What it has stored
  // before is listed below.
  await forgetSession(database, tenant, operation);
  const remove = async ({ key, size }: Pick<StoredObject, 'key' | 'size'>): Promise<void> => {
    await deleteObject(store, key);
    removed.objects += 1;
    removed.bytes += size;
  };
  const brought = await listObjects(store, uploadPrefix(operation));
  const kept = await keptObjects(
    database,
    tenant,
    brought.map(({ key }) => key),
  );
  for (const object of brought) if (!kept.has(object.key)) await remove(object);
  for (const { id, objectKey } of await collectedContent(database, tenant, operation)) {
    for (const thumbnail of await listObjects(store, thumbnailPrefix(id))) await remove(thumbnail);
    // The object may have been brought by another upload, whose prefix was not listed here.
    await deleteObject(store, objectKey);
  }
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
): Promise<Reclaimed> {
  const recorded = await endWriting(database, tenant, operation);
  if (recorded === undefined && !evenUnrecorded) return { objects: 0, bytes: 0 };
  const listed = await listMultiparts(store, uploadPrefix(operation));
  const unlisted = (recorded ?? []).filter((one) => !listed.some((other) => other.s3UploadId === one.s3UploadId));
  let [objects, bytes] = [0, 0];
  for (const upload of [...unlisted, ...listed]) {
    // Only what is swept is counted. In the way of an upload it would be one more question.
    const size = evenUnrecorded ? await openBytes(store, upload) : 0;
    if (!(await abortMultipart(store, upload))) continue;
    objects += 1;
    bytes += size;
  }
  return { objects, bytes };
}
