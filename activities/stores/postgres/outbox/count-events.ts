import type { Database } from '../database.ts';

type EventCounts = {
  readonly due: number;
  readonly failed: number;
  /** Of the oldest that may be published. Seconds; zero where there is none. */
  readonly lag: number;
};

const count = `
select (select count(*) from publication where state = 'due')::integer as due,
  (select count(*) from publication where state = 'failed')::integer as failed,
  (select extract(epoch from clock_timestamp() - min(o.occurred_at))
   from generate_series(0, 15) s cross join lateral due_publications(s::smallint, 1) p join outbox o on o.id = p.message_id) as lag`;

/** What is not published. Events that wait behind a dead letter are due, and do not count for the lag. */
export async function countEvents(database: Database): Promise<EventCounts> {
  const [row] = await database.alone({ name: 'count_events', text: count, values: [] });
  return {
    due: (row?.due as number | undefined) ?? 0,
    failed: (row?.failed as number | undefined) ?? 0,
    lag: Math.max(0, Number(row?.lag ?? 0)),
  };
}
