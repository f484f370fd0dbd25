import type { Environment } from '../../../../workflows/operation/key.ts';
import type { Database } from '../database.ts';

/** An operation that has ended, and after whose end something may have arrived outside. */
export type DueSweep = {
  readonly id: string;
  readonly tenant: string;
  readonly environment: Environment;
  readonly flow: string;
};

/** Postponed by ten minutes, so that a sweep that dies or fails is repeated. Sweeping twice does no harm. */
const text = `
with due as (
  select id from operation where sweep_at <= now() order by sweep_at limit $1 for no key update skip locked
)
update operation o set sweep_at = now() + interval '10 minutes'
from due where o.id = due.id
returning o.id, tenant, environment, flow`;

export async function dueSweeps(database: Database, limit: number): Promise<readonly DueSweep[]> {
  const [rows = []] = await database.flush(null, { name: 'due_sweeps', text, values: [limit] });
  return rows.map((row) => ({
    id: row.id as string,
    tenant: row.tenant as string,
    environment: row.environment as Environment,
    flow: row.flow as string,
  }));
}

const done = `update operation set sweep_at = null where id = $1`;

export async function swept(database: Database, id: string): Promise<void> {
  await database.flush(null, { name: 'swept', text: done, values: [id] });
}
