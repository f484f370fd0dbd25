import type { Database } from '../../database.ts';

const text = 'select from upload_session where operation_id = $1 and epoch = $2';

/** @returns false when another writer has taken over, or the upload has ended */
export async function holdsSession(
  database: Database,
  writer: { readonly id: string; readonly tenant: string; readonly epoch: number },
): Promise<boolean> {
  const [rows] = await database.flush(writer.tenant, {
    name: 'holds_session',
    text,
    values: [writer.id, writer.epoch],
  });
  return rows?.length === 1;
}
