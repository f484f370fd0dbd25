import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { UploadPartCommand } from '@aws-sdk/client-s3';
import type { ObjectStore } from '../object-store.ts';

type SentPart = {
  readonly objectKey: string;
  readonly s3UploadId: string;
  readonly part: number;
  readonly body: Readable | Uint8Array;
  /** The exact length of the body in bytes. */
  readonly size: number;
  /** Ends the call if the body cannot be completed. The store then keeps nothing. */
  readonly signal: AbortSignal;
};

/** Sends a small part of a multipart upload without checksums. S3 compares its MD5. */
export async function uploadSmallPart(
  store: ObjectStore,
  {
    objectKey,
    s3UploadId,
    part,
    body,
  }: Pick<SentPart, 'objectKey' | 's3UploadId' | 'part'> & { readonly body: Uint8Array },
): Promise<{ readonly etag: string }> {
  const answer = await store.client.send(
    new UploadPartCommand({
      Bucket: store.bucket,
      Key: objectKey,
      UploadId: s3UploadId,
      PartNumber: part,
      Body: body,
      ContentLength: body.length,
      ContentMD5: createHash('md5').update(body).digest('base64'),
    }),
  );
  if (answer.ETag === undefined) throw new Error(`S3 named no ETag for part ${part} of ${objectKey}`);
  return { etag: answer.ETag };
}

/** Sends one part, with a CRC32 that S3 compares. The same number again replaces it. */
export async function uploadPart(
  store: ObjectStore,
  { objectKey, s3UploadId, part, body, size, signal }: SentPart,
): Promise<{ readonly etag: string; readonly checksum: string | undefined }> {
  const answer = await store.streaming.send(
    new UploadPartCommand({
      Bucket: store.bucket,
      Key: objectKey,
      UploadId: s3UploadId,
      PartNumber: part,
      Body: body,
      ContentLength: size,
      ChecksumAlgorithm: 'CRC32',
    }),
    { abortSignal: signal },
  );
  if (answer.ETag === undefined) throw new Error(`S3 named no ETag for part ${part} of ${objectKey}`);
  return { etag: answer.ETag, checksum: answer.ChecksumCRC32 };
}
