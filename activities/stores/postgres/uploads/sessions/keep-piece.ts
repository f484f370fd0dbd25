import type { Database, Statement } from '../../database.ts';
import type { SavedHash } from './take-session.ts';

/** Bytes that the object store has. A piece that begins before acknowledged ones holds those anew. */
export type Piece = { readonly at: number; readonly size: number } & (
  | { readonly part: number; readonly etag: string; readonly checksum: string | undefined }
  | { readonly objectKey: string }
);

/** A piece, and what is known of all bytes up to its end. */
export type Keeping = {
  readonly piece: Piece;
  /** null: nobody has hashed all the bytes so far. */
  readonly hash: SavedHash | null;
  readonly start: Buffer;
};

type Writer = { readonly id: string; readonly tenant: string; readonly epoch: number };

const keep = 'select keep_piece($1, $2, $3, $4, $5, $6, $7, $8) as kept';

/** No part is under way any more: the next writer may use the next number. */
const rest = 'update upload_session set writing = false where operation_id = $1 and epoch = $2';

/**
 * Acknowledges pieces, all or none.
 * @param rests whether the writer commits nothing more and none of its parts is under way
 * @param lifetime how long the upload lives on from now. Milliseconds.
 * @returns false when another writer has taken over: the bytes do not count
 * @throws LedgerFault `unavailable`: nobody knows whether they were acknowledged
 */
export async function keepPieces(
  database: Database,
  { id, tenant, epoch }: Writer,
  pieces: readonly Keeping[],
  rests: boolean,
  lifetime: number,
): Promise<boolean> {
  const rows = await database.flush(
    tenant,
    ...pieces.map(
      ({ piece, hash, start }, index): Statement => ({
        name: 'keep_piece',
        text: keep,
        values: [
          id,
          epoch,
          piece,
          hash?.state ?? null,
          hash?.tag ?? null,
          start,
          rests && index === pieces.length - 1,
          lifetime,
        ],
      }),
    ),
  );
  return rows.every(([row]) => row?.kept === true);
}

export async function restSession(database: Database, { id, tenant, epoch }: Writer): Promise<void> {
  await database.flush(tenant, { name: 'rest_session', text: rest, values: [id, epoch] });
}
