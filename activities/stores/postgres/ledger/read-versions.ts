import type { Database } from '../database.ts';

const text = 'select id, version from operation_version where id = any($1)';

/**
 * How far operations have changed: a number that grows with each change of their rows that callers see.
 * @returns without those that the tenant does not have
 */
export async function readVersions(
  database: Database,
  tenant: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const [rows = []] = await database.flush(tenant, { name: 'versions_of_operations', text, values: [ids] });
  return new Map(rows.map((row) => [row.id as string, Number(row.version)]));
}
