import type { Database, Statement } from '../../database.ts';

/** A small object of acknowledged bytes that stand in no part yet. */
export type Tail = { readonly at: number; readonly size: number; readonly objectKey: string };

/** SHA-256 so far. Only the implementation that wrote it can go on from it. */
export type SavedHash = { readonly state: Buffer; readonly tag: string };

/** A multipart upload that parts go to, and the number of the next one. */
export type Segment = {
  readonly segment: number;
  readonly part: number;
  /** null: none has been begun. */
  readonly upload: { readonly objectKey: string; readonly s3UploadId: string } | null;
};

/** The caller is the only writer, until another one takes over. */
export type TakenSession = Segment & {
  readonly kind: 'taken';
  readonly epoch: number;
  /** Acknowledged bytes. */
  readonly received: number;
  /** null: not told yet. */
  readonly size: number | null;
  readonly hash: SavedHash | null;
  /** The first bytes, as many as have come of those that show the type. */
  readonly start: Buffer;
  /** The newest bytes, in the order of their offsets. */
  readonly tails: readonly Tail[];
};

type NotTaken =
  /** The next byte is another one. */
  | { readonly kind: 'elsewhere'; readonly received: number; readonly size: number | null }
  /** All bytes have come meanwhile, or the upload has ended. */
  | { readonly kind: 'ended'; readonly received: number; readonly size: number | null }
  /** Another size was told before, or it is less than what has come. */
  | { readonly kind: 'otherwise'; readonly received: number; readonly size: number | null };

const text = 'select * from take_session($1, $2, $3)';

function taking(operation: string, offset: number, size: number | undefined): Statement {
  return { name: 'take_session', text, values: [operation, offset, size ?? null] };
}

/**
 * Takes the session of an upload over for writing.
 * @param size bytes, where the writer tells them
 * @throws LedgerFault
 */
export async function takeSession(
  database: Database,
  { id, tenant }: { readonly id: string; readonly tenant: string },
  offset: number,
  size: number | undefined,
): Promise<TakenSession | NotTaken> {
  const [[row] = []] = await database.flush(tenant, taking(id, offset, size));
  if (row === undefined) throw new Error(`The upload ${id} has no row in the ledger`);
  const standing = { received: Number(row.received), size: row.size === null ? null : Number(row.size) };
  const kind = row.outcome as 'taken' | 'elsewhere' | 'otherwise' | 'ended';
  if (kind !== 'taken') return { kind, ...standing };
  return {
    kind,
    ...standing,
    epoch: row.epoch as number,
    segment: row.segment as number,
    part: row.part as number,
    upload:
      row.s3_upload_id === null
        ? null
        : { objectKey: row.object_key as string, s3UploadId: row.s3_upload_id as string },
    hash: row.hash === null ? null : { state: row.hash as Buffer, tag: row.hash_tag as string },
    start: row.start as Buffer,
    tails: (row.tails as Tail[] | null) ?? [],
  };
}
