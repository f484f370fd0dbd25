import type { Database } from '../database.ts';

/** An erasure, by the operation that asked for it. */
export type DueErasure = { readonly id: string; readonly tenant: string };

/** Looked at again in a minute, until nothing is left of it. */
const text = `
with due as (
  select operation_id from erasure where finished_at is null and due_at <= now()
  order by due_at limit $1 for no key update skip locked
)
update erasure e set due_at = now() + interval '1 minute' from due where e.operation_id = due.operation_id
returning e.operation_id as id, e.tenant`;

/** Takes erasures of which something was left. */
export async function dueErasures(database: Database, limit: number): Promise<readonly DueErasure[]> {
  const [rows = []] = await database.flush(null, { name: 'due_erasures', text, values: [limit] });
  return rows.map(({ id, tenant }) => ({ id: id as string, tenant: tenant as string }));
}
