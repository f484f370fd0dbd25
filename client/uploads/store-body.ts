import { deleteObject } from '../../activities/stores/s3/delete-object.ts';
import { headObject } from '../../activities/stores/s3/head-object.ts';
import type { ObjectStore } from '../../activities/stores/s3/object-store.ts';
import { operationToken } from '../../activities/stores/s3/operation-token.ts';
import { putStream, StoreIdle, type StreamedObject } from '../../activities/stores/s3/put-stream.ts';
import type { BodyFault, MeasuredBody } from './measured-body.ts';

type StoredBody = { readonly kind: 'stored'; readonly sha256: string } | { readonly kind: BodyFault | 'failed' };

/**
 * Writes a measured body as a new object. Where the store's answer is lost the object itself is asked: it may be there.
 * What is not wanted is deleted at once; what cannot be deleted now lies under its operation's prefix, which is cleared
 * when the operation ends, and once more by upkeep for what comes later.
 */
export async function storeBody(
  store: ObjectStore,
  body: MeasuredBody,
  about: Omit<StreamedObject, 'body'>,
  failed: (error: unknown) => void,
): Promise<StoredBody> {
  const { key, size, operation } = about;
  try {
    await putStream(store, { ...about, body: body.stream });
    return { kind: 'stored', sha256: body.digest() };
  } catch (error) {
    // A store that had no bytes to take is not the one that was away.
    const starved = StoreIdle.is(error) && body.waitsForSender ? 'silent' : undefined;
    body.release();
    const fault = body.fault ?? starved;
    if (fault === undefined) failed(error);
    if (fault === undefined && body.size === size) {
      const sha256 = body.digest();
      const facts = await headObject(store, key).catch(() => undefined);
      if (facts?.size === size && facts.sha256 === sha256 && facts.metadata[operationToken] === operation)
        return { kind: 'stored', sha256 };
    }
    const deleted = deleteObject(store, key).catch(failed);
    // A store that is away would keep the caller waiting for another 10 s.
    if (fault !== undefined) await deleted;
    return { kind: fault ?? 'failed' };
  }
}
