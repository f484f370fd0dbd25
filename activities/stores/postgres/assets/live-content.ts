import type { Database } from '../database.ts';

const text = `
select c.object_key, c.size, (
  select a.evidence ->> 'shown' from asset a where a.content_id = c.id and a.evidence is not null limit 1) as shown
from content c where c.id = $1 and c.state = 'live'`;

/**
 * @returns where the bytes of a content are, and what they show: null where nobody has kept that; undefined where it is gone
 */
export async function liveContent(
  database: Database,
  tenant: string,
  content: string,
): Promise<{ readonly objectKey: string; readonly size: number; readonly shown: string | null } | undefined> {
  const [rows] = await database.flush(tenant, { name: 'live_content', text, values: [content] });
  const row = rows?.[0];
  return row && { objectKey: row.object_key as string, size: Number(row.size), shown: row.shown as string | null };
}
