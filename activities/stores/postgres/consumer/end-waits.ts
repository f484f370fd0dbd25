import type { Database } from '../database.ts';

/** An aggregate whose next sequence has not come in time. */
type Gap = {
  /** Of the message that waited for it. */
  readonly id: string;
  readonly aggregate: string;
  readonly sequence: number;
  /** The last one that was done. */
  readonly done: number;
};

const end = 'select id, aggregate, sequence, done from end_waits($1, $2, $3)';

/** @param goesOn whether the messages go on without what is missing; otherwise a person has to look */
export async function endWaits(
  database: Database,
  consumer: string,
  goesOn: boolean,
  atMost: number,
): Promise<readonly Gap[]> {
  const rows = await database.alone({ name: 'end_waits', text: end, values: [consumer, goesOn, atMost] });
  return rows.map((row) => ({
    id: row.id as string,
    aggregate: row.aggregate as string,
    sequence: Number(row.sequence),
    done: Number(row.done),
  }));
}
