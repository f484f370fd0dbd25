import { AbortMultipartUploadCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { objectMissing } from '../object-missing.ts';
import type { ObjectStore } from '../object-store.ts';

type MultipartUpload = { readonly objectKey: string; readonly s3UploadId: string };

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

/**
 * Multipart uploads under a prefix, all pages of them. It finds what a process began and died before recording.
 */
export async function listMultiparts(store: ObjectStore, prefix: string): Promise<readonly MultipartUpload[]> {
  const found: MultipartUpload[] = [];
  let marker: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
  while (marker !== undefined) {
    const page: {
      Uploads?: { Key?: string | undefined; UploadId?: string | undefined }[] | undefined;
      IsTruncated?: boolean | undefined;
      NextKeyMarker?: string | undefined;
      NextUploadIdMarker?: string | undefined;
    } = await store.client.send(new ListMultipartUploadsCommand({ Bucket: store.bucket, Prefix: prefix, ...marker }));
    for (const { Key, UploadId } of page.Uploads ?? [])
      if (Key?.startsWith(prefix) === true && UploadId !== undefined)
        found.push({ objectKey: Key, s3UploadId: UploadId });
    const { IsTruncated, NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
    marker =
      IsTruncated === true && KeyMarker !== undefined
        ? { KeyMarker, ...(UploadIdMarker === undefined ? {} : { UploadIdMarker }) }
        : undefined;
  }
  return found;
}
