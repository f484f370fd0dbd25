import type { Database } from '../../database.ts';

type Beginning = {
  readonly id: string;
  readonly tenant: string;
  readonly epoch: number;
  readonly segment: number;
  readonly objectKey: string;
  readonly s3UploadId: string;
};

const text = `
insert into upload_segment (operation_id, segment, tenant, object_key, s3_upload_id, checksum)
select operation_id, $3, tenant, $4, $5, 'CRC32' from upload_session where operation_id = $1 and epoch = $2 and writing
returning segment`;

/**
 * Records a multipart upload before its first part is sent.
 * @returns false when another writer has taken over: nobody will use this multipart upload
 * @throws LedgerFault
 */
export async function beginSegment(database: Database, beginning: Beginning): Promise<boolean> {
  const { id, tenant, epoch, segment, objectKey, s3UploadId } = beginning;
  const values = [id, epoch, segment, objectKey, s3UploadId];
  const [rows] = await database.flush(tenant, { name: 'begin_segment', text, values });
  return rows?.length === 1;
}
