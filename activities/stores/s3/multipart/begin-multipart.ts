import { CreateMultipartUploadCommand } from '@aws-sdk/client-s3';
import type { ObjectStore } from '../object-store.ts';
import { operationToken } from '../operation-token.ts';
import type { PartChecksum } from '../../../../workflows/operation/part-checksum.ts';

type Promised = {
  readonly key: string;
  readonly type: string;
  readonly operation: string;
  /**
   * What each part is checked against. Without it parts may be copied from any object: versitygw 1.8.0 gives a part the
   * checksum of the object that it is copied from, and completes nothing with it.
   */
  readonly checksum?: PartChecksum;
};

/**
 * Begins a multipart upload whose parts carry checksums: without them versitygw 1.8.0 keeps what had come of a part when
 * its connection broke, and lists it at its full size.
 * @returns the id that S3 gives it; record it before the first part is sent
 */
export async function beginMultipart(
  store: ObjectStore,
  { key, type, operation, checksum }: Promised,
): Promise<string> {
  const { UploadId } = await store.client.send(
    new CreateMultipartUploadCommand({
      Bucket: store.bucket,
      Key: key,
      ContentType: type,
      ...(checksum === undefined ? {} : { ChecksumAlgorithm: checksum }),
      ...(checksum === 'CRC64NVME' ? { ChecksumType: 'FULL_OBJECT' as const } : {}),
      Metadata: { [operationToken]: operation },
    }),
  );
  if (UploadId === undefined) throw new Error(`S3 began no multipart upload for ${key}`);
  return UploadId;
}
