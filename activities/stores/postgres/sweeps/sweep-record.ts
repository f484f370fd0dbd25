import type { Database } from '../database.ts';

/** What was removed of one kind. */
export type Reclaimed = { readonly objects: number; readonly bytes: number };

const add = `
insert into reclaimed (day, what, objects, bytes) values ((now() at time zone 'utc')::date, $1, $2, $3)
on conflict (day, what) do update
set objects = reclaimed.objects + excluded.objects, bytes = reclaimed.bytes + excluded.bytes`;

/** Keeps what was removed, by day and kind. */
export async function keepReclaimed(database: Database, what: string, { objects, bytes }: Reclaimed): Promise<void> {
  if (objects === 0 && bytes === 0) return;
  await database.flush(null, { name: 'keep_reclaimed', text: add, values: [what, objects, bytes] });
}

const trouble = `
insert into sweep_trouble (what, thing, detail) values ($1, $2, $3)
on conflict (what, thing) do update
set detail = excluded.detail, tries = sweep_trouble.tries + 1, last_at = now()`;
const over = 'delete from sweep_trouble where what = $1 and thing = any($2)';
/** A content that is lost says so itself, for as long as a file needs it. */
const list = `
select what, thing, detail, tries, since from sweep_trouble
union all select 'lost contents', object_key, 'Content ' || id
  || ' has lost its object: put it back from a backup, or have the file uploaded again.', 1, created_at
  from content c where state = 'lost' and exists (select from asset a where a.content_id = c.id)
order by what, since, thing limit $1`;

/** What could not be removed, or is missing. */
export type SweepTrouble = {
  readonly what: string;
  readonly thing: string;
  readonly detail: string;
  readonly tries: number;
  readonly since: Date;
};

export async function keepTrouble(database: Database, what: string, thing: string, detail: string): Promise<void> {
  await database.flush(null, { name: 'keep_sweep_trouble', text: trouble, values: [what, thing, detail] });
}

export async function endTrouble(database: Database, what: string, things: readonly string[]): Promise<void> {
  if (things.length === 0) return;
  await database.flush(null, { name: 'end_sweep_trouble', text: over, values: [what, things] });
}

export async function sweepTroubles(database: Database, limit: number): Promise<readonly SweepTrouble[]> {
  const [rows = []] = await database.flush(null, { name: 'sweep_troubles', text: list, values: [limit] });
  return rows.map((row) => ({
    what: row.what as string,
    thing: row.thing as string,
    detail: row.detail as string,
    tries: row.tries as number,
    since: row.since as Date,
  }));
}
