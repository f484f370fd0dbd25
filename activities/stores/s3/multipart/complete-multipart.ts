import { CompleteMultipartUploadCommand } from '@aws-sdk/client-s3';
import { headObject } from '../head-object.ts';
import { objectMissing, statusOf } from '../object-missing.ts';
import type { ObjectStore } from '../object-store.ts';
import { operationToken } from '../operation-token.ts';

type CompletedPart = { readonly part: number; readonly etag: string; readonly checksum: string | null };

type Completing = {
  readonly objectKey: string;
  readonly s3UploadId: string;
  readonly operation: string;
  /** Bytes of all parts together. */
  readonly size: number;
  /** What the parts' checksums are, where they have some. */
  readonly checksum?: 'CRC32' | 'SHA256';
  readonly parts: readonly CompletedPart[];
  readonly signal?: AbortSignal;
};

/** The parts are not there any more: somebody aborted the multipart upload, or replaced a part. */
export class PartsGone extends Error {
  override readonly name = 'PartsGone';
}

/**
 * Makes one object of the parts, once. Stores mean different things by a failed Complete: 409, 412, `NoSuchUpload`, a
 * timeout or a 200 with an error in its body may all stand for an object that was made. So we look: what is there under
 * our token with the right size is ours.
 * @throws PartsGone when there is neither the object nor its parts
 * @throws anything else when nobody knows; repeat it
 */
export async function completeMultipart(store: ObjectStore, completing: Completing): Promise<void> {
  const { objectKey, s3UploadId, operation, size, checksum, parts, signal } = completing;
  const made = async (): Promise<boolean> => {
    const facts = await headObject(store, objectKey);
    return facts?.size === size && facts.metadata[operationToken] === operation;
  };
  try {
    await store.streaming.send(
      new CompleteMultipartUploadCommand({
        Bucket: store.bucket,
        Key: objectKey,
        UploadId: s3UploadId,
        IfNoneMatch: '*',
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
    // 404: no such upload. `InvalidPart` and `InvalidPartOrder`: a part is not the one that was acknowledged.
    if (objectMissing(error) || (statusOf(error) === 400 && name.startsWith('InvalidPart')))
      throw new PartsGone(`The parts of ${objectKey} are gone: ${name}`, { cause: error });
    throw error;
  }
  if (!(await made())) throw new Error(`S3 completed ${objectKey}, and there is another object, or none`);
}
