import { AbortMultipartUploadCommand } from '@aws-sdk/client-s3';
import { objectMissing } from '../object-missing.ts';
import type { ObjectStore } from '../object-store.ts';

export type MultipartUpload = { readonly objectKey: string; readonly s3UploadId: string };

/** Gives up a multipart upload and its parts. One that is completed or gone is left as it is. */
export async function abortMultipart(store: ObjectStore, { objectKey, s3UploadId }: MultipartUpload): Promise<boolean> {
  try {
    await store.client.send(
      new AbortMultipartUploadCommand({ Bucket: store.bucket, Key: objectKey, UploadId: s3UploadId }),
    );
    return true;
  } catch (error) {
    if (objectMissing(error)) return false;
    throw error;
  }
}
