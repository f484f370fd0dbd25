import type { Database } from '../database.ts';

type CollectedContent = { readonly id: string; readonly objectKey: string };

const collected = `select id, object_key from content where collected_by = $1 and state = 'deleting'`;
const forget = `delete from content where collected_by = $1 and state = 'deleting'`;
const live = `select from content where id = $1 and state = 'live'`;

/** @returns the contents whose objects this operation has to delete */
export async function collectedContent(
  database: Database,
  tenant: string,
  operation: string,
): Promise<readonly CollectedContent[]> {
  const [rows = []] = await database.flush(tenant, { name: 'collected_content', text: collected, values: [operation] });
  return rows.map((row) => ({ id: row.id as string, objectKey: row.object_key as string }));
}

/** Call this last: the rows are the only record of the objects until nothing more can be written for them. */
export async function forgetContents(database: Database, tenant: string, operation: string): Promise<void> {
  await database.flush(tenant, { name: 'forget_contents', text: forget, values: [operation] });
}

/** Ask after writing an object of a content. The collector lists what is there after it has decided. */
export async function contentLives(database: Database, tenant: string, content: string): Promise<boolean> {
  const [rows] = await database.flush(tenant, { name: 'content_lives', text: live, values: [content] });
  return rows?.length === 1;
}
