import pLimit from 'p-limit';
import { explainedUploads } from '../stores/postgres/sweeps/explain.ts';
import { nothing } from '../stores/postgres/sweeps/sweep-pass.ts';
import { abortMultipart } from '../stores/s3/multipart/abort-multipart.ts';
import { listMultipartPage } from '../stores/s3/multipart/list-multiparts.ts';
import { openBytes } from '../stores/s3/multipart/open-bytes.ts';
import { operationOfKey, uploads } from '../stores/s3/upload-keys.ts';
import { removeEach } from './remove-each.ts';
import type { SweepStage } from './sweep-stage.ts';

/** Questions to the store that one page asks at a time. */
const atOnce = 20;

/**
 * Multipart uploads that no row knows of: somebody began them and died before recording them. It is the second net, behind
 * the rows by which each upload gives up its own.
 */
export const leftoverMultiparts: SweepStage = {
  name: 'multipart uploads',
  async look(reach, after) {
    const { database, objects: store } = reach;
    const page = await listMultipartPage(store, uploads, after);
    const claimed = page.uploads.flatMap((upload) => {
      const owner = operationOfKey(upload.objectKey);
      return owner === undefined ? [] : [{ ...upload, key: upload.objectKey, owner }];
    });
    const explained = await explainedUploads(database, claimed);
    const left = claimed.filter(({ key, begun }) => {
      const at = begun.getTime();
      const young = at >= reach.now - reach.minAge;
      return !explained.has(key) && !young && at >= reach.bornAt.getTime() - reach.minAge;
    });
    const limit = pLimit(atOnce);
    const leftovers = await Promise.all(
      left.map((upload) =>
        limit(async () => ({
          ...upload,
          thing: `${upload.key}?uploadId=${upload.s3UploadId}`,
          bytes: await openBytes(store, upload),
        })),
      ),
    );
    const removed = await removeEach(reach, this.name, leftovers, async (upload) => {
      await abortMultipart(store, upload);
    });
    const unexplainedBytes = leftovers.reduce((sum, { bytes }) => sum + bytes, 0);
    return {
      after: page.next,
      counts: {
        ...nothing,
        ...removed,
        lookedAt: page.uploads.length,
        notOurs: page.uploads.length - claimed.length,
        unexplainedBytes,
      },
    };
  },
};
