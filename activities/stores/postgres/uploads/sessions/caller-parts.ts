import type { CallerChecksum } from '../../../../../workflows/operation/part-checksum.ts';
import type { Database, Statement } from '../../database.ts';

/** An upload whose caller sends parts straight to the object store. */
export type CallerParts = {
  readonly segment: number;
  readonly objectKey: string;
  readonly s3UploadId: string;
  /** Bytes of each part but the last; null: the caller chooses. */
  readonly partSize: number | null;
  /** What its parts are checked against. By CRC64NVME a part may come without one. */
  readonly algorithm: CallerChecksum['algorithm'];
  /** The signed checksum of each part, as S3 writes it, by number. */
  readonly signed: ReadonlyMap<number, string>;
};

type Upload = { readonly id: string; readonly tenant: string };

const read = `
select s.part_size, g.segment, g.object_key, g.s3_upload_id, g.checksum,
  (select jsonb_object_agg(p.part, p.checksum) from upload_signed_part p where p.operation_id = s.operation_id) as signed
from upload_session s
  join upload_segment g on g.operation_id = s.operation_id and g.segment = 0
where s.operation_id = $1`;

/** @returns undefined when no multipart upload was begun for the caller */
export async function readCallerParts(database: Database, { id, tenant }: Upload): Promise<CallerParts | undefined> {
  const [[row] = []] = await database.flush(tenant, { name: 'caller_parts_checked', text: read, values: [id] });
  if (row === undefined) return undefined;
  const signed = Object.entries((row.signed ?? {}) as Record<string, string>);
  return {
    segment: row.segment as number,
    objectKey: row.object_key as string,
    s3UploadId: row.s3_upload_id as string,
    algorithm: row.checksum as CallerChecksum['algorithm'],
    partSize: row.part_size === null ? null : Number(row.part_size),
    signed: new Map(signed.map(([part, checksum]) => [Number(part), checksum])),
  };
}

const session = `
insert into upload_session (operation_id, tenant, size, part_size)
select id, tenant, (request ->> 'size')::bigint, $2 from operation where id = $1
on conflict (operation_id) do update set part_size = coalesce(upload_session.part_size, excluded.part_size)`;

/** Segment 0 is the caller's: those of our own writers begin at 1. */
const segment = `
insert into upload_segment (operation_id, segment, tenant, object_key, s3_upload_id, checksum)
select id, 0, tenant, $2, $3, $4 from operation where id = $1
on conflict do nothing returning segment`;

/**
 * Records the multipart upload of a caller.
 * @returns false when there is one already: nobody will use this one
 */
export async function beginCallerParts(
  database: Database,
  { id, tenant }: Upload,
  begun: Pick<CallerParts, 'objectKey' | 's3UploadId' | 'partSize' | 'algorithm'>,
): Promise<boolean> {
  const [, rows] = await database.flush(
    tenant,
    { name: 'session_of_caller_parts', text: session, values: [id, begun.partSize] },
    {
      name: 'begin_caller_parts_checked',
      text: segment,
      values: [id, begun.objectKey, begun.s3UploadId, begun.algorithm],
    },
  );
  return rows?.length === 1;
}

const replace = `
update upload_segment set s3_upload_id = $3, checksum = $4 where operation_id = $1 and segment = 0 and s3_upload_id = $2`;

/** The caller's parts go to another multipart upload from now on, if the former one still is the one that counts. */
export async function replaceCallerParts(
  database: Database,
  { id, tenant }: Upload,
  former: Pick<CallerParts, 's3UploadId'>,
  next: Pick<CallerParts, 's3UploadId' | 'algorithm'>,
): Promise<void> {
  const values = [id, former.s3UploadId, next.s3UploadId, next.algorithm];
  await database.flush(tenant, { name: 'replace_caller_parts', text: replace, values });
}

const sign = `
insert into upload_signed_part (operation_id, part, tenant, checksum)
select $1, p.part, s.tenant, p.checksum
from upload_session s, jsonb_to_recordset($2) p (part integer, checksum text) where s.operation_id = $1
on conflict (operation_id, part) do update set checksum = excluded.checksum`;

/** The wait goes on where a caller asks for the next parts. */
const extend = 'select extend_wait($1, $2)';

/** @param lifetime how long the upload lives on from now. Milliseconds. */
export async function signParts(
  database: Database,
  { id, tenant }: Upload,
  parts: readonly { readonly part: number; readonly checksum: string }[],
  lifetime: number,
): Promise<void> {
  const statements: Statement[] = [
    { name: 'sign_parts', text: sign, values: [id, JSON.stringify(parts)] },
    { name: 'extend_wait', text: extend, values: [id, lifetime] },
  ];
  await database.flush(tenant, ...statements);
}

export type ListedPart = {
  readonly at: number;
  readonly size: number;
  readonly part: number;
  readonly etag: string;
  readonly checksum: string | null;
};

const keep = 'select keep_parts($1, $2, $3) as kept';

/** @returns false when the upload has other bytes already */
export async function keepCallerParts(
  database: Database,
  { id, tenant }: Upload,
  ofSegment: number,
  parts: readonly ListedPart[],
): Promise<boolean> {
  const values = [id, ofSegment, JSON.stringify(parts)];
  const [[row] = []] = await database.flush(tenant, { name: 'keep_parts', text: keep, values });
  return row?.kept === true;
}
