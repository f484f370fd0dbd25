import type { ReceivedBytes } from '../postgres/uploads/read-transfer.ts';
import { headObject } from './head-object.ts';
import type { ObjectStore } from './object-store.ts';
import { operationToken, tenantToken } from './operation-token.ts';
import { presignedKey } from './upload-keys.ts';

/**
 * What a presigned PUT has written, if it was made. Its SHA-256 counts as proven, since the store has enforced the
 * signed one.
 * @returns undefined if there is nothing that this operation has signed for
 */
export async function presignedBytes(store: ObjectStore, operation: string): Promise<ReceivedBytes | undefined> {
  const objectKey = presignedKey(operation);
  const facts = await headObject(store, objectKey);
  if (facts === undefined || facts.metadata[operationToken] !== operation) return undefined;
  return { method: 'presigned', objectKey, size: facts.size, sha256: facts.sha256 ?? null, sniffedType: null };
}

/**
 * Whose a written object is, by its own metadata.
 * @returns undefined when no presigned PUT has written it
 */
export async function presignedOwner(
  store: ObjectStore,
  objectKey: string,
): Promise<{ readonly operation: string; readonly tenant: string } | undefined> {
  const { metadata } = (await headObject(store, objectKey)) ?? {};
  const operation = metadata?.[operationToken];
  const tenant = metadata?.[tenantToken];
  if (operation === undefined || tenant === undefined || presignedKey(operation) !== objectKey) return undefined;
  return { operation, tenant: decodeURIComponent(tenant) };
}
