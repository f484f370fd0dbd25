import type { Database } from '../database.ts';

const text = `select object_key from content where object_key = any($1) and state <> 'deleting'`;

/** @returns the keys whose objects something refers to */
export async function keptObjects(
  database: Database,
  tenant: string,
  keys: readonly string[],
): Promise<ReadonlySet<string>> {
  if (keys.length === 0) return new Set();
  const [rows = []] = await database.flush(tenant, { name: 'kept_objects', text, values: [keys] });
  return new Set(rows.map((row) => row.object_key as string));
}
