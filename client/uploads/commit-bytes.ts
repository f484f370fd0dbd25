import type { OperationRecord } from '../../activities/stores/postgres/ledger/read-operation.ts';
import type { ReceivedBytes } from '../../activities/stores/postgres/uploads/read-transfer.ts';
import { deleteObject } from '../../activities/stores/s3/delete-object.ts';
import { uploadFlow } from '../../workflows/upload.flow.ts';
import { readUpload } from './read-upload.ts';
import { type Answered, received, refused } from './received.ts';
import { otherBytes, transferRefusal } from './transfer-refusal.ts';
import type { UploadParts } from './upload-parts.ts';

/**
 * Records in the ledger that these bytes are the upload's, unless others already are. Both ways in end here. The row is
 * committed before the signal, so that a story that wakes always finds it.
 * @param late whether the bytes may count after the deadline, because they were there before it
 */
export async function commitBytes(
  parts: UploadParts,
  record: OperationRecord,
  bytes: ReceivedBytes,
  late = false,
): Promise<Answered> {
  const { objects, gateway, log } = parts;
  const arrived = await gateway.arrive(uploadFlow, record, 'receive', bytes, late);
  if (arrived.kind === 'arrived' || arrived.kind === 'repeated')
    return received(arrived.evidence, arrived.kind === 'repeated');
  const transfer = await readUpload(parts, record);
  const counted = transfer.outcome === 'received' ? transfer.bytes : undefined;
  // A presigned object belongs to the operation, not to this call: while the row is open the story may still adopt it.
  // If the previous build recorded it, it may be the very object that counts.
  const counts = counted?.objectKey === bytes.objectKey;
  if (!counts && (bytes.method === 'door' || transfer.outcome !== 'open'))
    await deleteObject(objects, bytes.objectKey).catch((error: unknown) =>
      log(`The object ${bytes.objectKey} does not count and was left behind`, error),
    );
  const closed = transferRefusal(transfer);
  if (closed !== undefined) return refused(closed);
  return counted?.sha256 === bytes.sha256 && counted.size === bytes.size
    ? received(counted, true)
    : refused(otherBytes);
}
