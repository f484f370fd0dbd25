import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import type { ObjectStore } from './object-store.ts';

/** Deletes an object. S3 answers 204 even if there is none, so it may be repeated. */
export async function deleteObject(store: ObjectStore, key: string): Promise<void> {
  await store.client.send(new DeleteObjectCommand({ Bucket: store.bucket, Key: key }));
}
