import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { objectMissing } from './object-missing.ts';
import type { ObjectStore } from './object-store.ts';
import { putOnce } from './put-once.ts';
import { ledgerMarkKey } from './upload-keys.ts';

/** The ledger whose bytes a bucket keeps, and the newest of its beats that the bucket has seen. */
export type BucketMark = { readonly ledger: string; readonly beats: number };

const mark = z.object({ ledger: z.string(), beats: z.int().min(0) });
const type = 'application/json';
const written = (value: BucketMark) => Buffer.from(`${JSON.stringify(value)}\n`);

/**
 * @returns undefined where the bucket has no mark
 * @throws where the store is away, or where the mark cannot be read
 */
export async function readBucketMark(store: ObjectStore): Promise<BucketMark | undefined> {
  try {
    const { Body } = await store.client.send(new GetObjectCommand({ Bucket: store.bucket, Key: ledgerMarkKey }));
    return mark.parse(JSON.parse((await Body?.transformToString()) ?? ''));
  } catch (error) {
    if (objectMissing(error)) return undefined;
    if (error instanceof SyntaxError || error instanceof z.ZodError)
      throw new Error(`${ledgerMarkKey} in the bucket ${store.bucket} cannot be read: was it edited? Delete it.`, {
        cause: error,
      });
    throw error;
  }
}

/** Of several that make the first mark, one wins. */
export async function makeBucketMark(store: ObjectStore, value: BucketMark): Promise<void> {
  await putOnce(store, ledgerMarkKey, written(value), { type, metadata: {} });
}

export async function writeBucketMark(store: ObjectStore, value: BucketMark): Promise<void> {
  const Body = written(value);
  await store.client.send(new PutObjectCommand({ Bucket: store.bucket, Key: ledgerMarkKey, Body, ContentType: type }));
}
