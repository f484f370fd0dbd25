import type { Database } from '../database.ts';

/** Asked again, it changes nothing: the time to restore it is counted from the first. */
const remove = `
update asset set deleted_at = now(), gone_after = now() + $2 * interval '1 ms', purge_at = now() + $2 * interval '1 ms',
  holds_place = false
where id = $1 and deleted_at is null`;

/** It comes back beside whatever has taken its name since. */
const restore = `
update asset set deleted_at = null, gone_after = null, purge_at = null where id = $1 and gone_after > now()`;

/** @param restorable for how long it can be restored, in milliseconds */
export async function deleteAsset(database: Database, tenant: string, id: string, restorable: number): Promise<void> {
  await database.flush(tenant, { name: 'delete_asset', text: remove, values: [id, restorable] });
}

export async function restoreAsset(database: Database, tenant: string, id: string): Promise<void> {
  await database.flush(tenant, { name: 'restore_asset', text: restore, values: [id] });
}
