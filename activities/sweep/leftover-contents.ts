import { healAssets } from '../stores/postgres/sweeps/missing-objects.ts';
import { nothing } from '../stores/postgres/sweeps/sweep-pass.ts';
import {
  forgetContent,
  giveUpContent,
  pageOfContents,
  type UnreferencedContent,
} from '../stores/postgres/sweeps/page-of-contents.ts';
import { deleteObject } from '../stores/s3/delete-object.ts';
import { listObjects } from '../stores/s3/list-objects.ts';
import { thumbnailPrefix } from '../stores/s3/upload-keys.ts';
import { removeEach } from './remove-each.ts';
import type { SweepReach, SweepStage } from './sweep-stage.ts';

/** Rows of one page. */
const pageSize = 500;

/** Contents that no file refers to, as an undo or a purge leaves them that never came to its end. */
export const leftoverContents: SweepStage = {
  name: 'contents',
  async look(reach, after) {
    if (reach.removes && after === '') await healAssets(reach.database);
    const page = await pageOfContents(reach.database, after, reach.minAge, pageSize);
    const { lookedAt, fileBytes, contentBytes } = page;
    const leftovers = page.unreferenced.map((content) => ({ ...content, thing: content.id, bytes: content.size }));
    const removed = await removeEach(reach, this.name, leftovers, async (content) => await giveUp(reach, content));
    return {
      after: lookedAt < pageSize ? undefined : page.last,
      counts: { ...nothing, ...removed, lookedAt, fileBytes, contentBytes },
    };
  },
};

async function giveUp({ database, objects }: SweepReach, { id, objectKey }: UnreferencedContent): Promise<void> {
  if (!(await giveUpContent(database, id))) return;
  // The row goes last: until then it is the only record of the objects.
  for (const { key } of await listObjects(objects, thumbnailPrefix(id))) await deleteObject(objects, key);
  await deleteObject(objects, objectKey);
  await forgetContent(database, id);
}
