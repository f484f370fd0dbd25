import type { Database } from '../database.ts';
import type { DedupScope } from './place-asset.ts';

/** An object that the subject of an upload owns already, in the scope that the upload would share. */
type OwnedContent = {
  readonly objectKey: string;
  /** What its first bytes show; null where nobody kept that. */
  readonly shown: string | null;
};

const text = `
select c.object_key, a.evidence ->> 'shown' as shown
from operation o
  join content c on c.tenant = o.tenant and c.dedup_scope = dedup_scope(o.id, $2, $3) and c.sha256 = $4 and c.size = $5
    and c.state = 'live'
  join asset a on a.content_id = c.id and a.environment = o.environment and a.subject = o.subject
    and a.ready_at is not null and a.deleted_at is null
where o.id = $1 and not exists (select from upload_segment s where s.operation_id = o.id)
limit 1`;

/** @returns undefined where the subject has no such file, whoever else has it, or the upload has begun to send its own */
export async function ownedContent(
  database: Database,
  { id, tenant }: { readonly id: string; readonly tenant: string },
  wanted: {
    readonly dedup: DedupScope;
    readonly destination: string;
    readonly sha256: string;
    readonly size: number;
  },
): Promise<OwnedContent | undefined> {
  const { dedup, destination, sha256, size } = wanted;
  const values = [id, dedup, destination, sha256, size];
  const [rows] = await database.flush(tenant, { name: 'owned_content', text, values });
  const row = rows?.[0];
  return row && { objectKey: row.object_key as string, shown: row.shown as string | null };
}
