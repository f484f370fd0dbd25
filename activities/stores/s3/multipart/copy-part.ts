import { UploadPartCopyCommand } from '@aws-sdk/client-s3';
import type { ObjectStore } from '../object-store.ts';

type CopiedPart = {
  readonly objectKey: string;
  readonly s3UploadId: string;
  readonly part: number;
  readonly from: string;
  /** Offset of the first byte in the source, and how many. */
  readonly at: number;
  readonly size: number;
};

/** Makes a part from bytes of another object, inside the store. */
export async function copyPart(
  store: ObjectStore,
  { objectKey, s3UploadId, part, from, at, size }: CopiedPart,
): Promise<{ readonly etag: string }> {
  const { CopyPartResult: result } = await store.streaming.send(
    new UploadPartCopyCommand({
      Bucket: store.bucket,
      Key: objectKey,
      UploadId: s3UploadId,
      PartNumber: part,
      CopySource: `${store.bucket}/${from.split('/').map(encodeURIComponent).join('/')}`,
      CopySourceRange: `bytes=${at}-${at + size - 1}`,
    }),
  );
  if (result?.ETag === undefined) throw new Error(`S3 named no ETag for part ${part} of ${objectKey}`);
  return { etag: result.ETag };
}
