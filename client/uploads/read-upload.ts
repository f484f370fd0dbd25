import type { OperationRecord } from '../../activities/stores/postgres/ledger/read-operation.ts';
import { readTransfer, type Transfer, transferOf } from '../../activities/stores/postgres/uploads/read-transfer.ts';
import type { UploadParts } from './upload-parts.ts';

/** Reads what the ledger knows about an upload's bytes. */
export async function readUpload(
  { database }: UploadParts,
  { id, tenant }: Pick<OperationRecord, 'id' | 'tenant'>,
): Promise<Transfer> {
  const [rows] = await database.flush(tenant, readTransfer(id));
  return transferOf(rows);
}
