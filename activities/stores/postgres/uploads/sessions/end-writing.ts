import type { Database } from '../../database.ts';

const segments = 'select object_key, s3_upload_id from upload_segment where operation_id = $1';
const fence = 'update upload_session set epoch = epoch + 1, writing = false where operation_id = $1 returning epoch';

/**
 * Bytes of the upload are taken no more: what a writer stores from here on counts for nothing, and it is told so.
 * @returns the upload's multipart uploads; undefined if its bytes never came in pieces
 * @throws LedgerFault
 */
export async function endWriting(
  database: Database,
  tenant: string,
  operation: string,
): Promise<readonly { readonly objectKey: string; readonly s3UploadId: string }[] | undefined> {
  const [fenced, rows = []] = await database.flush(
    tenant,
    { name: 'end_writing', text: fence, values: [operation] },
    { name: 'upload_segments', text: segments, values: [operation] },
  );
  if (fenced?.length !== 1) return undefined;
  return rows.map((row) => ({ objectKey: row.object_key as string, s3UploadId: row.s3_upload_id as string }));
}
