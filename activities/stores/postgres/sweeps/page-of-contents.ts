import type { Database } from '../database.ts';

export type UnreferencedContent = { readonly id: string; readonly objectKey: string; readonly size: number };

/** What a page of contents holds. Sizes in bytes. */
type ContentPage = {
  /** The last one; undefined where there are none. */
  readonly last: string | undefined;
  readonly lookedAt: number;
  readonly fileBytes: number;
  readonly contentBytes: number;
  readonly unreferenced: readonly UnreferencedContent[];
};

/**
 * Pages follow the primary key, so that a page takes as long in a large table as in a small one. A content that an open operation
 * is deleting is left to that operation.
 */
const page = `
with looked as (
  select c.id, c.object_key, c.size, c.state, c.created_at, c.collected_by,
    (select count(*) from asset a where a.content_id = c.id) as files
  from (select * from content where id > $1 order by id limit $3) c
)
select max(id) as last, count(*)::integer as looked_at, coalesce(sum(size * files), 0)::float8 as file_bytes,
  coalesce(sum(size) filter (where state = 'live'), 0)::float8 as content_bytes,
  coalesce(jsonb_agg(jsonb_build_object('id', id, 'objectKey', object_key, 'size', size) order by id) filter (
    where files = 0 and created_at < now() - $2 * interval '1 ms' and not exists (
      select from operation o where o.id = collected_by and (o.settled_at is null or o.sweep_at is not null))), '[]') as unreferenced
from looked`;

const giveUp = `select id, object_key, size from give_up_content($1)`;
const forget = `delete from content where id = $1 and state = 'deleting'`;

/** @param age what is younger is not given up; milliseconds */
export async function pageOfContents(
  database: Database,
  after: string,
  age: number,
  limit: number,
): Promise<ContentPage> {
  const values = [after, age, limit];
  const [rows] = await database.flush(null, { name: 'page_of_contents', text: page, values });
  const row = rows?.[0];
  return {
    last: (row?.last as string | null | undefined) ?? undefined,
    lookedAt: row?.looked_at as number,
    fileBytes: row?.file_bytes as number,
    contentBytes: row?.content_bytes as number,
    unreferenced: row?.unreferenced as readonly UnreferencedContent[],
  };
}

/** @returns whether it is nobody's now: its objects are to be deleted, then its row */
export async function giveUpContent(database: Database, id: string): Promise<boolean> {
  const [rows = []] = await database.flush(null, { name: 'give_up_content', text: giveUp, values: [id] });
  return rows.length > 0;
}

export async function forgetContent(database: Database, id: string): Promise<void> {
  await database.flush(null, { name: 'forget_content', text: forget, values: [id] });
}
