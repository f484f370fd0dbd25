import type { Database } from '../database.ts';

const text = `
select flow, state, count(*)::integer as count from operation where settled_at is null group by flow, state`;

/** Operations that have not settled, by flow and state. */
export async function countOpen(database: Database): Promise<{ flow: string; state: string; count: number }[]> {
  const [rows = []] = await database.flush(null, { name: 'count_open', text, values: [] });
  return rows.map(({ flow, state, count }) => ({
    flow: flow as string,
    state: state as string,
    count: count as number,
  }));
}
