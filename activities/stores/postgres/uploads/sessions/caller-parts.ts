import type { CallerChecksum } from '../../../../../workflows/operation/part-checksum.ts';
import type { Database, Statement } from '../../database.ts';

/** An upload whose caller sends parts straight to the object store. */
export type CallerParts = {
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
select s.part_size, g.object_key, g.s3_upload_id, g.checksum,
  (select jsonb_object_agg(p.part, p.checksum) from upload_signed_part p where p.operation_id = s.operation_id) as signed
from upload_session s
  join upload_segment g on g.operation_id = s.operation_id and g.segment = 0
where s.operation_id = $1`;

/** @returns undefined when no multipart upload was begun for the caller */
export async function readCallerParts(database: Database, { id, tenant }: Upload): Promise<CallerParts | undefined> {
  const [[row] = []] = await database.flush(tenant, { name: 'caller_parts_of_kind', text: read, values: [id] });
  if (row === undefined) return undefined;
  const signed = Object.entries((row.signed ?? {}) as Record<string, string>);
  return {
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

const exchange = 'select exchange_caller_parts($1, $2, $3, $4) as exchanged';

/**
 * The caller's parts go to another multipart upload from now on.
 * @returns false when bytes are acknowledged, or another one was chosen meanwhile: nobody will use this one
 */
export async function exchangeCallerParts(
  database: Database,
  { id, tenant }: Upload,
  former: Pick<CallerParts, 's3UploadId'>,
  next: Pick<CallerParts, 's3UploadId' | 'algorithm'>,
): Promise<boolean> {
  const values = [id, former.s3UploadId, next.s3UploadId, next.algorithm];
  const [[row] = []] = await database.flush(tenant, { name: 'exchange_caller_parts', text: exchange, values });
  return row?.exchanged === true;
}

/** The lock keeps others from exchanging the multipart upload before these checksums are there to be removed. */
const sign = `
insert into upload_signed_part (operation_id, part, tenant, checksum)
select $1, p.part, g.tenant, p.checksum
from (
  select tenant from upload_segment where operation_id = $1 and segment = 0 and s3_upload_id = $3 for share
) g, jsonb_to_recordset($2) p (part integer, checksum text)
on conflict (operation_id, part) do update set checksum = excluded.checksum
returning part`;

/** The wait goes on where a caller asks for the next parts. */
const extend = 'select extend_wait($1, $2)';

/**
 * @param lifetime how long the upload lives on from now. Milliseconds.
 * @returns false when the parts go to another multipart upload by now
 */
export async function signParts(
  database: Database,
  { id, tenant }: Upload,
  { s3UploadId }: Pick<CallerParts, 's3UploadId'>,
  parts: readonly { readonly part: number; readonly checksum: string }[],
  lifetime: number,
): Promise<boolean> {
  const statements: Statement[] = [
    { name: 'sign_parts_of', text: sign, values: [id, JSON.stringify(parts), s3UploadId] },
    { name: 'extend_wait', text: extend, values: [id, lifetime] },
  ];
  const [signed] = await database.flush(tenant, ...statements);
  return signed?.length === parts.length;
}

export type ListedPart = {
  readonly at: number;
  readonly size: number;
  readonly part: number;
  readonly etag: string;
  readonly checksum: string | null;
};

/** What became of parts, with the CRC64NVME of the whole that counts: that of the call that has kept them. */
type Kept =
  | { readonly outcome: 'kept'; readonly crc64nvme: string | undefined }
  /** The upload has other bytes already. */
  | { readonly outcome: 'other' }
  /** The parts go to another multipart upload by now. */
  | { readonly outcome: 'exchanged' };

const keep = 'select outcome, whole from keep_caller_parts($1, $2, $3, $4)';

/** Acknowledges all parts of a caller, and what it says of the whole. */
export async function keepCallerParts(
  database: Database,
  { id, tenant }: Upload,
  { s3UploadId }: Pick<CallerParts, 's3UploadId'>,
  parts: readonly ListedPart[],
  crc64nvme: string | undefined,
): Promise<Kept> {
  const values = [id, s3UploadId, JSON.stringify(parts), crc64nvme ?? null];
  const [[row] = []] = await database.flush(tenant, { name: 'keep_caller_parts', text: keep, values });
  const outcome = row?.outcome as Kept['outcome'];
  return outcome === 'kept' ? { outcome, crc64nvme: (row?.whole ?? undefined) as string | undefined } : { outcome };
}
