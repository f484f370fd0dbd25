import type { Database } from '../../database.ts';

const text = 'update upload_session set epoch = epoch + 1 where operation_id = $1 and writing';

/** The current writer can no longer commit. A part that it has sent may still reach the store. */
export async function fenceSession(
  database: Database,
  { id, tenant }: { readonly id: string; readonly tenant: string },
): Promise<void> {
  await database.flush(tenant, { name: 'fence_session', text, values: [id] });
}
