import type { Database } from '../database.ts';

/** A row whose object was not among those listed. */
export type Missing = { readonly id: string; readonly key: string };

/** A range of keys, and those of them that the store has listed. */
type Range = { readonly after: string; readonly through: string; readonly listed: readonly string[] };

/** Of one page. Each is asked for at the store, and a page should take seconds. */
export const mostMissing = 500;

const contents = `
select id, object_key as key from content
where state = 'live' and object_key collate "C" > $1 and object_key collate "C" <= $2 and object_key <> all($3)
order by object_key collate "C" limit ${mostMissing}`;

const files = `
select d.content_id as id, f.key
from derivative d cross join jsonb_to_recordset(d.files) f (key text)
where d.state = 'done' and d.content_id collate "C" between $4 and $5
  and f.key collate "C" > $1 and f.key collate "C" <= $2 and f.key <> all($3)
order by f.key collate "C" limit ${mostMissing}`;

/** @returns contents in the range whose objects were not listed */
export async function unlistedContents(database: Database, range: Range): Promise<readonly Missing[]> {
  const values = [range.after, range.through, range.listed];
  return await missing(database, 'unlisted_contents', contents, values);
}

/** @param between the contents whose derivatives can lie in the range */
export async function unlistedDerivatives(
  database: Database,
  range: Range,
  between: readonly [first: string, last: string],
): Promise<readonly Missing[]> {
  const values = [range.after, range.through, range.listed, ...between];
  return await missing(database, 'unlisted_derivatives', files, values);
}

async function missing(
  database: Database,
  name: string,
  text: string,
  values: readonly unknown[],
): Promise<readonly Missing[]> {
  const [rows = []] = await database.flush(null, { name, text, values });
  return rows.map((row) => ({ id: row.id as string, key: row.key as string }));
}

const lose = `update content set state = 'lost' where id = $1 and object_key = $2 and state = 'live'`;
const find = `
update content c set state = 'live' where id in (
  select distinct on (tenant, dedup_scope, sha256) id from content where object_key = any($1) and state = 'lost'
  order by tenant, dedup_scope, sha256, id
) and state = 'lost' and not exists (
  select from content other where (other.tenant, other.dedup_scope, other.sha256) = (c.tenant, c.dedup_scope, c.sha256)
    and other.state = 'live')`;
const heal = `
update asset a set content_id = found.whole from (
  select gone.id as gone, whole.id as whole from content gone join content whole
    on (whole.tenant, whole.dedup_scope, whole.sha256) = (gone.tenant, gone.dedup_scope, gone.sha256)
  where gone.state = 'lost' and whole.state = 'live'
  limit 500 for share of whole -- whoever gives it up is waited for, or waits
) found where a.content_id = found.gone`;

/** It takes no further references: the same bytes make a content of their own when they come again. */
export async function loseContent(database: Database, { id, key }: Missing): Promise<void> {
  await database.flush(null, { name: 'lose_content', text: lose, values: [id, key] });
}

/** Somebody has put the objects back. */
export async function findContents(database: Database, listed: readonly string[]): Promise<void> {
  await database.flush(null, { name: 'find_contents', text: find, values: [listed] });
}

/** The bytes of a lost content have come again, in its own scope: its files are whole. */
export async function healAssets(database: Database): Promise<void> {
  await database.flush(null, { name: 'heal_assets', text: heal, values: [] });
}

const loseDerivative = `
update derivative set state = 'failed', files = '[]', code = 'objects-missing', made_at = now(),
  detail = 'The object store has them no more: have them made again.'
where content_id = $1 and state = 'done' and files @> jsonb_build_array(jsonb_build_object('key', $2::text))`;

export async function loseDerivatives(database: Database, { id, key }: Missing): Promise<void> {
  await database.flush(null, { name: 'lose_derivatives', text: loseDerivative, values: [id, key] });
}
