import type { Database } from '../../database.ts';

const text = 'delete from upload_session where operation_id = $1';

/** The pieces of an upload have become its file, or nothing. Call it after the multipart uploads were ended in the store: their ids stand here. */
export async function forgetSession(database: Database, tenant: string, operation: string): Promise<void> {
  await database.flush(tenant, { name: 'forget_session', text, values: [operation] });
}
