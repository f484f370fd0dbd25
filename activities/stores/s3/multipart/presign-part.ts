import { UploadPartCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { ObjectStore } from '../object-store.ts';
import type { CallerChecksum } from '../../../../workflows/operation/part-checksum.ts';

type PromisedPart = {
  readonly objectKey: string;
  readonly s3UploadId: string;
  readonly part: number;
  /** Bytes. */
  readonly size: number | undefined;
  /** undefined when the caller has not told it. */
  readonly checksum: CallerChecksum | undefined;
};

/**
 * Signs one part. With its checksum the store takes exactly these bytes. Everything is in signed headers, since servers
 * ignore a checksum in the query.
 * @param lifetime milliseconds
 */
export async function presignPart(store: ObjectStore, promised: PromisedPart, lifetime: number) {
  const { objectKey, s3UploadId, part, size, checksum } = promised;
  const headers: Record<string, string> = {
    ...(size === undefined ? {} : { 'content-length': String(size) }),
    ...(checksum === undefined ? {} : { [`x-amz-checksum-${checksum.algorithm.toLowerCase()}`]: checksum.value }),
  };
  const names = new Set(Object.keys(headers));
  const command = new UploadPartCommand({
    Bucket: store.bucket,
    Key: objectKey,
    UploadId: s3UploadId,
    PartNumber: part,
    ...(size === undefined ? {} : { ContentLength: size }),
    ...(checksum === undefined ? {} : { [`Checksum${checksum.algorithm}`]: checksum.value }),
  });
  const url = await getSignedUrl(store.signer, command, {
    expiresIn: Math.max(1, Math.floor(lifetime / 1_000)),
    unhoistableHeaders: names,
    signableHeaders: names,
  });
  return { method: 'PUT' as const, url, headers };
}
