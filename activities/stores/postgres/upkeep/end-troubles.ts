import type { Database } from '../database.ts';

/** Trouble that is over. */
type Ended = {
  readonly operation: string;
  readonly flow: string;
  readonly step: string;
  readonly tries: number;
};

/** If nothing has followed a single failed try for a while, the next try has succeeded. */
const text = `
delete from trouble t
where not exists (select from trouble_now n where n.operation_id = t.operation_id)
  and (t.tries >= 2 or t.since < now() - interval '1 minute')
returning operation_id, flow, step, tries`;

/** Forgets the trouble that is over. @returns the troubles that people had been told of */
export async function endTroubles(database: Database): Promise<readonly Ended[]> {
  const [rows = []] = await database.flush(null, { name: 'end_troubles', text, values: [] });
  return rows
    .map((row) => ({
      operation: row.operation_id as string,
      flow: row.flow as string,
      step: row.step as string,
      tries: row.tries as number,
    }))
    .filter(({ tries }) => tries >= 2);
}

const count = `select flow, step, needs_person, count(*)::integer as count from trouble_now group by 1, 2, 3`;

/** How many operations make no progress, and where. */
export async function countTroubles(
  database: Database,
): Promise<readonly { flow: string; step: string; needsPerson: boolean; count: number }[]> {
  const [rows = []] = await database.flush(null, { name: 'count_troubles', text: count, values: [] });
  return rows.map((row) => ({
    flow: row.flow as string,
    step: row.step as string,
    needsPerson: row.needs_person as boolean,
    count: row.count as number,
  }));
}
