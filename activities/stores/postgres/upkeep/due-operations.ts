import type { Environment } from '../../../../workflows/operation/key.ts';
import type { Database } from '../database.ts';

/** An open operation that upkeep should look after. */
export type Due = {
  readonly id: string;
  readonly tenant: string;
  readonly environment: Environment;
  readonly keySubject: string;
  readonly flow: string;
  readonly key: string;
  readonly generation: number;
  /** Its story waits for news that may have been lost. */
  readonly news: 'wake' | 'cancelRequested' | null;
  readonly looks: number;
};

/** Only one upkeep at a time takes what is due. The number names the lock. */
const lock = 4_720_397;

/**
 * Takes what is due and postpones its next look: by 4 s, then twice as long each time, at most ten minutes, and never
 * past the deadline of a wait. A story whose wait is over, by its row, is woken, since the signal may have been lost.
 * A story that still waits is only started if it does not run.
 */
const text = `
with alone as (select pg_try_advisory_xact_lock(${lock}) as ours), due as (
  select id from operation
  where settled_at is null and next_look_at <= now() and (select ours from alone)
  order by next_look_at limit $1 for no key update skip locked
)
update operation o
set looks = looks + 1,
    next_look_at = now() + least(
      interval '4 seconds' * power(2, least(looks, 8)), interval '10 minutes',
      case when deadline > now() then deadline - now() + interval '1 second' end)
from due where o.id = due.id
returning o.id, tenant, environment, key_subject, flow, key, generation, looks,
  case when cancel_requested_at is not null then 'cancelRequested'
       when (state = 'waiting' and deadline <= now()) or exists (
         select from awaited a left join step s on s.operation_id = a.operation_id and s.name = a.step
         where a.operation_id = o.id and (s.state is null or s.state = 'sent')) then 'wake' end as news`;

export async function dueOperations(database: Database, limit: number): Promise<Due[]> {
  const [rows = []] = await database.flush(null, { name: 'due_operations_and_news', text, values: [limit] });
  return rows.map((row) => ({
    id: row.id as string,
    tenant: row.tenant as string,
    environment: row.environment as Environment,
    keySubject: row.key_subject as string,
    flow: row.flow as string,
    key: row.key as string,
    generation: row.generation as number,
    news: row.news as Due['news'],
    looks: row.looks as number,
  }));
}

/** Makes everything open due now, because Temporal has lost its memory. @returns how many operations that is */
export async function lookAtEverything(database: Database): Promise<number> {
  const everything = `update operation set next_look_at = now(), looks = 0 where settled_at is null returning id`;
  const [rows = []] = await database.flush(null, { name: 'look_at_everything', text: everything, values: [] });
  return rows.length;
}
