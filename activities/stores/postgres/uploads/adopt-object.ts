import type { Database } from '../database.ts';

/**
 * A repetition finds it done. A sweep may have found the content lost since the upload was placed; it lives again, unless the
 * same bytes have made another content meanwhile. Then the next sweep moves its files there.
 */
const text = `
update content c set object_key = $3, state = case when exists (
  select from content other where (other.tenant, other.dedup_scope, other.sha256) = (c.tenant, c.dedup_scope, c.sha256)
    and other.state = 'live' and other.id <> c.id) then c.state else 'live' end
where id = $1 and object_key in ($2, $3) and state <> 'deleting' returning id`;

/** @returns whether the content has the brought object now */
export async function adoptObject(
  database: Database,
  tenant: string,
  { content, kept, brought }: { readonly content: string; readonly kept: string; readonly brought: string },
): Promise<boolean> {
  const [rows] = await database.flush(tenant, {
    name: 'adopt_object_even_if_lost',
    text,
    values: [content, kept, brought],
  });
  return rows?.length === 1;
}
