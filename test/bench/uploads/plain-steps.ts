import { GetObjectCommand } from '@aws-sdk/client-s3';
import { Context } from '@temporalio/activity';
import type pg from 'pg';
import sharp from 'sharp';
import { thumbnailBoxes } from '../../../activities/decoder/thumbnail-boxes.ts';
import { deleteObject } from '../../../activities/stores/s3/delete-object.ts';
import { headObject } from '../../../activities/stores/s3/head-object.ts';
import { listObjects } from '../../../activities/stores/s3/list-objects.ts';
import type { ObjectStore } from '../../../activities/stores/s3/object-store.ts';
import { putOnce } from '../../../activities/stores/s3/put-once.ts';

export type PlainBytes = { readonly objectKey: string; readonly size: number; readonly sha256: string };
export type PlainSteps = ReturnType<typeof plainSteps>;

/** The activities of the plain upload, by plain SQL over an ordinary pool. */
export function plainSteps(pool: pg.Pool, store: ObjectStore) {
  return {
    async verify({ objectKey, size }: PlainBytes): Promise<void> {
      const facts = await headObject(store, objectKey);
      if (facts?.size !== size) throw new Error(`${objectKey} is not what was announced`);
    },
    async place({ name, objectKey, size, sha256 }: PlainBytes & { readonly name: string }): Promise<string> {
      const id = Context.current().info.workflowExecution?.workflowId ?? name;
      await pool.query(
        `insert into plain.upload (id, name, object_key, size, sha256) values ($1, $2, $3, $4, $5)
         on conflict (id) do nothing`,
        [id, name, objectKey, size, sha256],
      );
      return id;
    },
    async tidy(objectKey: string): Promise<void> {
      const prefix = objectKey.slice(0, objectKey.lastIndexOf('/') + 1);
      for (const { key: other } of await listObjects(store, prefix))
        if (other !== objectKey) await deleteObject(store, other);
    },
    async thumbnails(objectKey: string): Promise<void> {
      const answer = await store.client.send(new GetObjectCommand({ Bucket: store.bucket, Key: objectKey }));
      const bytes = await answer.Body?.transformToByteArray();
      const largest = await sharp(bytes).autoOrient().raw().toBuffer({ resolveWithObject: true });
      for (const { nominal } of thumbnailBoxes) {
        const made = await sharp(largest.data, { raw: largest.info })
          .resize({ width: nominal, withoutEnlargement: true })
          .webp({ quality: 80 })
          .toBuffer();
        await putOnce(store, `${objectKey}-${nominal}`, made, { type: 'image/webp', metadata: {} });
      }
    },
    async announce(id: string): Promise<void> {
      await pool.query('update plain.upload set announced_at = now() where id = $1 and announced_at is null', [id]);
    },
  };
}
