import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import type { ObjectStore } from './object-store.ts';

/**
 * @param range first and last byte; by default all
 * @returns the bytes as they come; throws if there is no such object (`objectMissing`)
 */
export async function openObject(
  store: ObjectStore,
  key: string,
  signal?: AbortSignal,
  range?: { readonly first: number; readonly last: number },
): Promise<Readable> {
  const answer = await store.streaming.send(
    new GetObjectCommand({
      Bucket: store.bucket,
      Key: key,
      ...(range === undefined ? {} : { Range: `bytes=${range.first}-${range.last}` }),
    }),
    signal === undefined ? {} : { abortSignal: signal },
  );
  return answer.Body as Readable;
}

/** @returns at most the first `length` bytes; none of an empty object, of which S3 refuses every range (416) */
export async function readStart(store: ObjectStore, key: string, size: number, length: number): Promise<Uint8Array> {
  return size === 0 ? new Uint8Array() : await readRange(store, key, 0, Math.min(size, length));
}

/** @returns `length` bytes of an object, from `at` on; at least one */
export async function readRange(store: ObjectStore, key: string, at: number, length: number): Promise<Uint8Array> {
  const range = `bytes=${at}-${at + length - 1}`;
  const answer = await store.client.send(new GetObjectCommand({ Bucket: store.bucket, Key: key, Range: range }));
  if (answer.Body === undefined) throw new Error(`S3 gave no bytes of ${key}`);
  return await answer.Body.transformToByteArray();
}

/** Reads an object once. @returns its SHA-256 in lower-case hex */
export async function hashObject(store: ObjectStore, key: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of await openObject(store, key, signal)) hash.update(piece as Uint8Array);
  return hash.digest('hex');
}
