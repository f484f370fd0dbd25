import { type DueAsset, dueAssets, forgetGivenUp, giveUpAsset } from './stores/postgres/assets/purge-asset.ts';
import { deleteObject } from './stores/s3/delete-object.ts';
import { listObjects } from './stores/s3/list-objects.ts';
import { thumbnailPrefix } from './stores/s3/upload-keys.ts';
import type { Clearing } from './registration.ts';

/**
 * Removes deleted assets that can no longer be restored. The last asset of a content takes the content's objects with it. An
 * upload of the same bytes that comes meanwhile makes a new content, under another key.
 */
export const purgeAssets: Clearing<DueAsset> = {
  name: 'deleted assets',
  due: dueAssets,
  async clear({ database, objects }, asset) {
    const last = await giveUpAsset(database, asset);
    if (last === undefined) return { objects: 0, bytes: 0 };
    const made = await listObjects(objects, thumbnailPrefix(last.content));
    for (const { key } of made) await deleteObject(objects, key);
    await deleteObject(objects, last.objectKey);
    await forgetGivenUp(database, asset, last.content);
    return { objects: made.length + 1, bytes: made.reduce((sum, { size }) => sum + size, last.size) };
  },
};
