import { CompleteMultipartUploadCommand } from '@aws-sdk/client-s3';
import { headObject } from '../head-object.ts';
import { objectMissing, statusOf } from '../object-missing.ts';
import type { ObjectStore } from '../object-store.ts';
import { operationToken } from '../operation-token.ts';
import type { PartChecksum } from '../../../../workflows/operation/part-checksum.ts';

type CompletedPart = { readonly part: number; readonly etag: string; readonly checksum: string | null };

type Completing = {
  readonly objectKey: string;
  readonly s3UploadId: string;
  readonly operation: string;
  /** Bytes of all parts together. */
  readonly size: number;
  /** What the parts' checksums are, where they have some. */
  readonly checksum?: PartChecksum;
  /** The CRC64NVME of the whole object in base64, where it has to have one. Its parts are checked by CRC64NVME then. */
  readonly crc64nvme?: string | undefined;
  readonly parts: readonly CompletedPart[];
  readonly signal?: AbortSignal;
};

/** The parts are not there any more: somebody aborted the multipart upload, or replaced a part. */
export class PartsGone extends Error {
  override readonly name = 'PartsGone';
}

/** The parts together are not what their sender says of the whole. */
export class WholeDiffers extends Error {
  override readonly name = 'WholeDiffers';
}

/**
 * Makes one object of the parts, once. Stores mean different things by a failed Complete: 409, 412, `NoSuchUpload`, a
 * timeout or a 200 with an error in its body may all stand for an object that was made. So we look: what is there under
 * our token with the right size is ours.
 * @throws WholeDiffers when its CRC64NVME is another one
 * @throws PartsGone when there is neither the object nor its parts
 * @throws anything else when nobody knows; repeat it
 */
export async function completeMultipart(store: ObjectStore, completing: Completing): Promise<void> {
  const { objectKey, s3UploadId, operation, size, checksum, crc64nvme, parts, signal } = completing;
  const made = async (): Promise<boolean> => {
    const facts = await headObject(store, objectKey);
    if (facts?.size !== size || facts.metadata[operationToken] !== operation) return false;
    // A store that does not compare by itself tells at least what it has computed.
    if (crc64nvme !== undefined && facts.crc64nvme !== crc64nvme)
      throw new WholeDiffers(`${objectKey} has the CRC64NVME ${facts.crc64nvme ?? 'of nothing'}`);
    return true;
  };
  try {
    await store.streaming.send(
      new CompleteMultipartUploadCommand({
        Bucket: store.bucket,
        Key: objectKey,
        UploadId: s3UploadId,
        IfNoneMatch: '*',
        ...(crc64nvme === undefined ? {} : { ChecksumType: 'FULL_OBJECT' as const, ChecksumCRC64NVME: crc64nvme }),
        MultipartUpload: {
          Parts: parts.map(({ part, etag, checksum: value }) => ({
            PartNumber: part,
            ETag: etag,
            ...(value === null || checksum === undefined ? {} : { [`Checksum${checksum}`]: value }),
          })),
        },
      }),
      signal === undefined ? {} : { abortSignal: signal },
    );
  } catch (error) {
    if (await made()) return;
    const { name } = error as Error;
    if (name === 'BadDigest' && crc64nvme !== undefined)
      throw new WholeDiffers(`The parts of ${objectKey} together have another CRC64NVME`, { cause: error });
    // 404: no such upload. `InvalidPart` and `InvalidPartOrder`: a part is not the one that was acknowledged.
    if (objectMissing(error) || (statusOf(error) === 400 && name.startsWith('InvalidPart')))
      throw new PartsGone(`The parts of ${objectKey} are gone: ${name}`, { cause: error });
    throw error;
  }
  if (!(await made())) throw new Error(`S3 completed ${objectKey}, and there is another object, or none`);
}
