import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import type { ObjectStore } from '../object-store.ts';
import type { MultipartUpload } from './abort-multipart.ts';

/** One that has begun and is not complete. */
type OpenMultipart = MultipartUpload & {
  /** By the clock of the store. */
  readonly begun: Date;
};

type Page = {
  Uploads?: { Key?: string | undefined; UploadId?: string | undefined; Initiated?: Date | undefined }[] | undefined;
  IsTruncated?: boolean | undefined;
  NextKeyMarker?: string | undefined;
  NextUploadIdMarker?: string | undefined;
};

/**
 * One page of the multipart uploads under a prefix.
 * @param after `next` of the page before; '' at the beginning
 */
export async function listMultipartPage(
  store: ObjectStore,
  prefix: string,
  after: string,
): Promise<{ readonly uploads: readonly OpenMultipart[]; readonly next: string | undefined }> {
  const [KeyMarker, UploadIdMarker] = after === '' ? [] : after.split('\n');
  const page: Page = await store.client.send(
    new ListMultipartUploadsCommand({
      Bucket: store.bucket,
      Prefix: prefix,
      ...(KeyMarker === undefined ? {} : { KeyMarker }),
      ...(UploadIdMarker === undefined || UploadIdMarker === '' ? {} : { UploadIdMarker }),
    }),
  );
  const uploads = (page.Uploads ?? []).flatMap(({ Key, UploadId, Initiated = new Date() }) =>
    Key?.startsWith(prefix) !== true || UploadId === undefined
      ? []
      : [{ objectKey: Key, s3UploadId: UploadId, begun: Initiated }],
  );
  const { IsTruncated, NextKeyMarker, NextUploadIdMarker = '' } = page;
  const next =
    IsTruncated === true && NextKeyMarker !== undefined ? `${NextKeyMarker}\n${NextUploadIdMarker}` : undefined;
  // A store that names the same place again would be asked for ever.
  return { uploads, next: next === after ? undefined : next };
}

/** All of them, such as those of one operation: it finds what a process began and died before recording. */
export async function listMultiparts(store: ObjectStore, prefix: string): Promise<readonly OpenMultipart[]> {
  const found: OpenMultipart[] = [];
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page = await listMultipartPage(store, prefix, after);
    found.push(...page.uploads);
    after = page.next;
  }
  return found;
}
