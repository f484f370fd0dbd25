import type { World } from './world.ts';

/** The columns that can hold what somebody has told us, of all tables. */
const columns = `
select table_schema || '.' || quote_ident(table_name) as "table", quote_ident(column_name) as "column", data_type as type
from information_schema.columns join information_schema.tables using (table_schema, table_name)
where table_schema = 'hapax' and table_type = 'BASE TABLE'
  and data_type in ('text', 'character varying', 'json', 'jsonb', 'bytea', 'ARRAY')`;

/** @returns where in PostgreSQL a text stands, as `table.column`, whatever the type of the column */
export async function columnsWith(world: World, text: string): Promise<readonly string[]> {
  const all = await world.sql<{ table: string; column: string; type: string }>(columns);
  const found: string[] = [];
  for (const { table, column, type } of all) {
    // A text may stand in bytes that are no UTF-8 as a whole.
    const shown = type === 'bytea' ? `encode(${column}, 'escape')` : `${column}::text`;
    const [row] = await world.sql(`select 1 from ${table} where strpos(${shown}, $1) > 0 limit 1`, text);
    if (row !== undefined) found.push(`${table}.${column}`);
  }
  return found.toSorted();
}
