import type { Readable } from 'node:stream';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { operationToken } from './operation-token.ts';
import type { ObjectStore } from './object-store.ts';

export type StreamedObject = {
  readonly key: string;
  readonly body: Readable;
  /** Exactly as many bytes as the body will give. */
  readonly size: number;
  readonly type: string;
  readonly operation: string;
  /** Ends the call where the body cannot be completed: the store then keeps nothing. */
  readonly signal: AbortSignal;
};

/**
 * Writes a new object from a stream, with a SHA-256 that follows the bytes: without it versitygw 1.8.0 keeps what had
 * arrived of a cut body. Never overwrites.
 */
export async function putStream(store: ObjectStore, object: StreamedObject): Promise<void> {
  const { key, body, size, type, operation, signal } = object;
  await store.streaming.send(
    new PutObjectCommand({
      Bucket: store.bucket,
      Key: key,
      Body: body,
      ContentLength: size,
      ContentType: type,
      ChecksumAlgorithm: 'SHA256',
      IfNoneMatch: '*',
      Metadata: { [operationToken]: operation },
    }),
    { abortSignal: signal },
  );
}
