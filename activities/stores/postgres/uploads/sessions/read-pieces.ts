import type { PartChecksum } from '../../../../../workflows/operation/part-checksum.ts';
import type { Database } from '../../database.ts';

type StoredPart = {
  readonly at: number;
  readonly size: number;
  readonly part: number;
  readonly etag: string;
  readonly checksum: string | null;
};

/** Acknowledged bytes in their order: the parts of a multipart upload, or a small object. */
export type Stretch =
  | {
      readonly kind: 'segment';
      readonly operation: string;
      readonly objectKey: string;
      readonly s3UploadId: string;
      /** What its parts are checked against. */
      readonly checksum: PartChecksum;
      readonly size: number;
      readonly parts: readonly StoredPart[];
    }
  | { readonly kind: 'object'; readonly objectKey: string; readonly size: number };

const text = `
select p.at, p.size, p.part, p.etag, p.checksum, p.object_key, g.segment, g.object_key as segment_key, g.s3_upload_id,
  g.checksum as checked
from upload_piece p left join upload_segment g on g.operation_id = p.operation_id and g.segment = p.segment
where p.operation_id = $1 order by p.at`;

/** @returns where all acknowledged bytes of an upload are, from the first on */
export async function readStretches(
  database: Database,
  tenant: string,
  operation: string,
): Promise<readonly Stretch[]> {
  const [rows = []] = await database.flush(tenant, { name: 'upload_pieces', text, values: [operation] });
  const stretches: Stretch[] = [];
  for (const row of rows) {
    const [at, size] = [Number(row.at), Number(row.size)];
    if (row.part === null) {
      stretches.push({ kind: 'object', objectKey: row.object_key as string, size });
      continue;
    }
    const { part, etag, checksum } = row as { part: number; etag: string; checksum: string | null };
    const stored = { at, size, part, etag, checksum };
    const [objectKey, s3UploadId] = [row.segment_key as string, row.s3_upload_id as string];
    const last = stretches.at(-1);
    if (last?.kind === 'segment' && last.s3UploadId === s3UploadId)
      stretches[stretches.length - 1] = { ...last, size: last.size + size, parts: [...last.parts, stored] };
    else {
      const about = { operation, objectKey, s3UploadId, checksum: row.checked as PartChecksum };
      stretches.push({ kind: 'segment', ...about, size, parts: [stored] });
    }
  }
  return stretches;
}
