import type { Database } from '../../database.ts';

const text = 'update upload_session set epoch = epoch + 1 where operation_id = $1 and writing';

/** Whoever writes at this moment commits nothing more. A part of theirs may still reach the store. */
export async function fenceSession(
  database: Database,
  { id, tenant }: { readonly id: string; readonly tenant: string },
): Promise<void> {
  await database.flush(tenant, { name: 'fence_session', text, values: [id] });
}
