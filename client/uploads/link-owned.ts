import type { OperationRecord } from '../../activities/stores/postgres/ledger/read-operation.ts';
import { ownedContent } from '../../activities/stores/postgres/uploads/owned-content.ts';
import { uploadFlow } from '../../workflows/upload.flow.ts';
import { headObject } from '../../activities/stores/s3/head-object.ts';
import { announcement, type UploadParts } from './upload-parts.ts';

/**
 * An upload of bytes that its own subject has in the scope already needs none of them. A digest alone gives nothing: who
 * does not own such a file is told nothing of it, and sends the bytes.
 * @returns whether the upload has its bytes now
 */
export async function linkOwned(parts: UploadParts, record: OperationRecord): Promise<boolean> {
  const { sha256, size, dedup = 'account', destination, transfer: method = 'door' } = announcement(record);
  if (sha256 === undefined || size === undefined || dedup === 'intent') return false;
  const owned = await ownedContent(parts.database, record, { dedup, destination, sha256, size });
  if (owned === undefined) return false;
  const { objectKey, shown: sniffedType } = owned;
  // Somebody else may have removed it; then its bytes have to come.
  if ((await headObject(parts.objects, objectKey))?.size !== size) return false;
  // Not as bytes that have come: those are deleted where they do not count, and these are another file's.
  const bytes = { method, objectKey, size, sha256, sniffedType };
  const { kind } = await parts.gateway.arrive(uploadFlow, record, 'receive', bytes);
  return kind === 'arrived' || kind === 'repeated';
}
