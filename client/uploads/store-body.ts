import { deleteObject } from '../../activities/stores/s3/delete-object.ts';
import { headObject } from '../../activities/stores/s3/head-object.ts';
import type { ObjectStore } from '../../activities/stores/s3/object-store.ts';
import { operationToken } from '../../activities/stores/s3/operation-token.ts';
import { putStream, StoreIdle, type StreamedObject } from '../../activities/stores/s3/put-stream.ts';
import type { BodyFault, MeasuredBody } from './measured-body.ts';

type StoredBody = { readonly kind: 'stored'; readonly sha256: string } | { readonly kind: BodyFault | 'failed' };

/**
 * Writes a measured body as a new object. If the store's answer is lost, we look whether the object is there. An
 * unwanted object is deleted at once. One that cannot be deleted now lies under its operation's prefix, which is
 * cleared when the operation ends. Upkeep clears the prefix once more, for objects that appear later.
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
    // A store that got no bytes was not unavailable: its sender fell silent.
    const starved = StoreIdle.is(error) && body.waitsForSender ? 'silent' : undefined;
    body.release();
    const fault = body.fault ?? starved;
    if (fault === undefined) failed(error);
    if (fault === undefined && body.size === size) {
      const facts = await headObject(store, key).catch(() => undefined);
      if (facts?.size === size && facts.crc32 === body.crc32 && facts.metadata[operationToken] === operation)
        return { kind: 'stored', sha256: body.digest() };
    }
    const deleted = deleteObject(store, key).catch(failed);
    // An unavailable store would keep the caller waiting for another 10 s.
    if (fault !== undefined) await deleted;
    return { kind: fault ?? 'failed' };
  }
}
