import { createHash, randomUUID } from 'node:crypto';
import type { OperationRecord } from '../../../activities/stores/postgres/ledger/read-operation.ts';
import type { ReceivedBytes, TransferMethod } from '../../../activities/stores/postgres/uploads/read-transfer.ts';
import { operationToken } from '../../../activities/stores/s3/operation-token.ts';
import { putOnce } from '../../../activities/stores/s3/put-once.ts';
import { sniffLength, sniffType } from '../../../activities/file-type/sniff-type.ts';
import { doorKey } from '../../../activities/stores/s3/upload-keys.ts';
import type { Refusal } from '../../../workflows/operation/outcome.ts';
import { chunkDigestRefusal, storeAway } from '../transfer-refusal.ts';
import { announcement, isPartial, type UploadParts } from '../upload-parts.ts';
import type { Inflow } from './inflow.ts';
import { firstLook, type Promised } from './write-pieces.ts';

/** All bytes of an upload, in one body. */
type Whole = {
  readonly method: TransferMethod;
  /** The size of the upload, where somebody has told it. Bytes. */
  readonly size: number | null;
  readonly promised: Promised;
};

/**
 * Stores a small upload that comes in one body. It needs no session: one object, and one row to come.
 * @returns undefined when it is not small, or does not come at once: its bytes are still to be read
 */
export async function storeSmall(
  { objects, log }: UploadParts,
  record: OperationRecord,
  { method, size, promised }: Whole,
  inflow: Inflow,
): Promise<ReceivedBytes | { readonly refusal: Refusal } | undefined> {
  if (size === null || size > firstLook.bytes || promised.length !== size || isPartial(record)) return undefined;
  const { bytes, length, ended } = await inflow.gather(size + 1, firstLook.patience);
  if (!ended || length !== size) {
    inflow.unread(bytes);
    return undefined;
  }
  const body = Buffer.concat(bytes);
  const { digest } = promised;
  if (digest !== undefined && !createHash(digest.algorithm).update(body).digest().equals(digest.value))
    return { refusal: chunkDigestRefusal };
  const objectKey = doorKey(record.id, randomUUID());
  const { type } = announcement(record);
  try {
    await putOnce(objects, objectKey, body, { type, metadata: { [operationToken]: record.id } });
  } catch (error) {
    log(`No object for ${record.id}`, error);
    return { refusal: storeAway };
  }
  const sha256 = createHash('sha256').update(body).digest('hex');
  const sniffedType = await sniffType(body.subarray(0, sniffLength));
  return { method, objectKey, size, sha256, sniffedType };
}
