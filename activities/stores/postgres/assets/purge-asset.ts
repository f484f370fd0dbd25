import type { Database } from '../database.ts';

/** A deleted asset that can be restored no more. */
export type DueAsset = { readonly id: string; readonly tenant: string };

/** Postponed by ten minutes, so that a purge that dies or fails is repeated. */
const due = `
with due as (select id from asset where purge_at <= now() order by purge_at limit $1 for no key update skip locked)
update asset a set purge_at = now() + interval '10 minutes' from due where a.id = due.id returning a.id, a.tenant`;

const giveUp = `
select g.content, g.object_key, c.size from give_up_asset($1) g join content c on c.id = g.content`;
const forgetAsset = `delete from asset where id = $1 and gone_after <= now()`;
const forgetContent = `delete from content where id = $1 and state = 'deleting' and collected_by = $2`;

export async function dueAssets(database: Database, limit: number): Promise<readonly DueAsset[]> {
  const [rows = []] = await database.flush(null, { name: 'due_assets', text: due, values: [limit] });
  return rows.map(({ id, tenant }) => ({ id: id as string, tenant: tenant as string }));
}

/** @returns the content whose objects are to be deleted, if this was its last asset */
export async function giveUpAsset(
  database: Database,
  { id, tenant }: DueAsset,
): Promise<{ readonly content: string; readonly objectKey: string; readonly size: number } | undefined> {
  const [rows] = await database.flush(tenant, { name: 'give_up_asset_of_size', text: giveUp, values: [id] });
  const row = rows?.[0];
  return row && { content: row.content as string, objectKey: row.object_key as string, size: Number(row.size) };
}

/** Call it when the objects are gone: until then the rows are the only record of them. */
export async function forgetGivenUp(database: Database, { id, tenant }: DueAsset, content: string): Promise<void> {
  await database.flush(
    tenant,
    { name: 'forget_asset', text: forgetAsset, values: [id] },
    { name: 'forget_content_of_asset', text: forgetContent, values: [content, id] },
  );
}
