import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { ObjectStore } from './object-store.ts';

export type StoredObject = {
  readonly key: string;
  readonly size: number;
  /** By the clock of the store. */
  readonly modified: Date;
};

/**
 * One page of the objects under a prefix, in the order of their keys' bytes.
 * @param from the key or the `next` of the page before; '' at the beginning
 */
export async function listPage(
  store: ObjectStore,
  prefix: string,
  from: { readonly after: string } | { readonly next: string | undefined },
): Promise<{ readonly objects: readonly StoredObject[]; readonly last: boolean; readonly next: string | undefined }> {
  const start = 'after' in from ? { StartAfter: from.after || undefined } : { ContinuationToken: from.next };
  const page = await store.client.send(new ListObjectsV2Command({ Bucket: store.bucket, Prefix: prefix, ...start }));
  const objects = (page.Contents ?? []).flatMap(({ Key, Size, LastModified }) =>
    // One without a time is taken for new.
    Key === undefined ? [] : [{ key: Key, size: Size ?? 0, modified: LastModified ?? new Date() }],
  );
  const more = page.IsTruncated === true;
  if (more && objects.length === 0)
    throw new Error(`The object store lists nothing under ${prefix}, and says that there is more.`);
  return { objects, last: !more, next: more ? page.NextContinuationToken : undefined };
}
