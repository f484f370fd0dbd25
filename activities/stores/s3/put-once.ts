import { createHash } from 'node:crypto';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { objectExists } from './object-missing.ts';
import type { ObjectStore } from './object-store.ts';

/** Writes a small object under a derived key. An existing object stays as it is. */
export async function putOnce(
  store: ObjectStore,
  key: string,
  bytes: Uint8Array,
  about: { readonly type: string; readonly metadata: Readonly<Record<string, string>> },
): Promise<'written' | 'there'> {
  try {
    await store.client.send(
      new PutObjectCommand({
        Bucket: store.bucket,
        Key: key,
        Body: bytes,
        ContentLength: bytes.length,
        ContentType: about.type,
        ChecksumSHA256: createHash('sha256').update(bytes).digest('base64'),
        IfNoneMatch: '*',
        Metadata: about.metadata,
      }),
    );
    return 'written';
  } catch (error) {
    if (objectExists(error)) return 'there';
    throw error;
  }
}
