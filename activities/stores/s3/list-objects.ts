import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { ObjectStore } from './object-store.ts';

/** @returns the keys under a prefix, all pages of them */
export async function listObjects(store: ObjectStore, prefix: string): Promise<readonly string[]> {
  const keys: string[] = [];
  let token: string | undefined;
  do {
    const page = await store.client.send(
      new ListObjectsV2Command({ Bucket: store.bucket, Prefix: prefix, ContinuationToken: token }),
    );
    for (const { Key } of page.Contents ?? []) if (Key !== undefined) keys.push(Key);
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
  return keys;
}
