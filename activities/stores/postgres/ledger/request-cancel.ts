import type { Database } from '../database.ts';

export type CancelDecision = 'requested' | 'past-no-return' | 'already-settled' | 'missing';

/** One row decides between a cancel and the point of no return: the first to come wins. */
const text = `
with requested as (
  update operation set cancel_requested_at = coalesce(cancel_requested_at, now()), updated_at = now(),
    next_look_at = least(next_look_at, now() + interval '2 seconds')
  where id = $1 and settled_at is null and no_return_at is null
  returning id
)
select case
  when exists (select from requested) then 'requested'
  when settled_at is not null then 'already-settled'
  else 'past-no-return' end as decision
from operation where id = $1`;

export async function requestCancel(database: Database, tenant: string, id: string): Promise<CancelDecision> {
  const [rows] = await database.flush(tenant, { name: 'request_cancel', text, values: [id] });
  return (rows?.[0]?.decision as CancelDecision | undefined) ?? 'missing';
}
