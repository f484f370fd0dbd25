import type { Readable } from 'node:stream';
import type { OperationRecord } from '../../activities/stores/postgres/ledger/read-operation.ts';
import type { SessionFacts, TransferMethod } from '../../activities/stores/postgres/uploads/read-transfer.ts';
import { fenceSession } from '../../activities/stores/postgres/uploads/sessions/fence-session.ts';
import { takeSession } from '../../activities/stores/postgres/uploads/sessions/take-session.ts';
import { sniffStart } from '../../activities/file-type/sniff-type.ts';
import { joinedKey } from '../../activities/stores/s3/upload-keys.ts';
import { largestUpload } from '../../workflows/operation/part-limits.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import { commitBytes } from './commit-bytes.ts';
import { crowded, type OpenBodies } from './open-bodies.ts';
import { Inflow } from './pieces/inflow.ts';
import { LiveWriters } from './pieces/live-writers.ts';
import { RunningHash } from './pieces/running-hash.ts';
import { storeSmall } from './pieces/store-small.ts';
import { PieceWriting, type Promised } from './pieces/write-pieces.ts';
import type { Written } from './pieces/written.ts';
import { readUpload } from './read-upload.ts';
import { type Standing, standing } from './standing.ts';
import { tooLarge } from './upload-terms.ts';
import {
  brokenRefusal,
  chunkDigestRefusal,
  otherBytes,
  piecesLost,
  storeAway,
  tooLongRefusal,
  transferRefusal,
} from './transfer-refusal.ts';
import { announcement, isPartial, type UploadParts } from './upload-parts.ts';

/** A body that goes on where the acknowledged bytes end. */
type Chunk = {
  readonly method: TransferMethod;
  readonly stream: Readable;
  /** Of its first byte in the upload. */
  readonly offset: number;
  /** The size of the upload, where this sender tells it. Bytes. */
  readonly size: number | undefined;
  readonly promised: Promised;
  /** Called with each byte count that is acknowledged on the way. */
  readonly acknowledged?: (offset: number) => void;
};

export type Appended =
  | ({ readonly kind: 'appended' } & Standing)
  /** The next byte is another one. Nothing was kept. */
  | ({ readonly kind: 'elsewhere' } & Standing)
  /** Another size was told before. */
  | ({ readonly kind: 'otherwise' } & Standing)
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** The sender disconnected. What had come is kept, and there is nobody left to answer. */
  | { readonly kind: 'cut' };

/** The way for bytes that come in several bodies. The next one may come through any process. */
export class Appends {
  readonly #parts: UploadParts;
  readonly #bodies: OpenBodies;
  readonly #writers = new LiveWriters();

  constructor(parts: UploadParts, bodies: OpenBodies) {
    this.#parts = parts;
    this.#bodies = bodies;
  }

  /**
   * Where the upload stands, or why it takes no bytes any more. If all bytes are there and a process died before it could
   * say so, it is said now.
   */
  async look(record: OperationRecord): Promise<Standing | { readonly refusal: Refusal }> {
    const transfer = await readUpload(this.#parts, record);
    const refusal = transferRefusal(transfer);
    if (refusal !== undefined) return { refusal };
    const now = standing(record, transfer);
    if (transfer.outcome !== 'open' || isPartial(record) || now.offset !== transfer.session?.size) return now;
    await this.#arriveFromSession(record, transfer.session);
    return { ...now, complete: true };
  }

  /**
   * Where the upload stands, and will stand until its caller goes on: a body that is still being written is let go. A
   * caller that asks has lost its connection, and we may not have noticed yet.
   */
  async lookAlone(record: OperationRecord): Promise<Standing | { readonly refusal: Refusal }> {
    await this.#writers.letGo(record.id);
    await fenceSession(this.#parts.database, record);
    return await this.look(record);
  }

  /** @returns undefined when it is no partial upload, or takes part in nothing any more */
  async lookAtPartial(record: OperationRecord): Promise<Standing | undefined> {
    if (!isPartial(record)) return undefined;
    const now = await this.look(record);
    return 'refusal' in now ? undefined : now;
  }

  /**
   * The bytes of this upload are those of complete partial uploads, in their order.
   * @returns why not, if so
   */
  async join(
    record: OperationRecord,
    partials: readonly { readonly record: OperationRecord; readonly size: number }[],
  ) {
    const size = partials.reduce((sum, one) => sum + one.size, 0);
    const joins = partials.map((one) => one.record.id);
    const objectKey = joinedKey(record.id);
    const bytes = { method: 'tus', objectKey, size, sha256: null, sniffedType: null, inPieces: true, joins } as const;
    const joined = await commitBytes(this.#parts, record, bytes);
    return joined.kind === 'refused' ? joined.refusal : undefined;
  }

  /**
   * Writes a body behind the acknowledged bytes. The newest body is the only one that counts: an earlier one of the same
   * upload is let go, whichever process it came to.
   * @throws LedgerFault `unavailable` when we cannot tell how much is acknowledged; ask for the offset
   */
  async append(record: OperationRecord, chunk: Chunk): Promise<Appended> {
    const transfer = await readUpload(this.#parts, record);
    const refusal = transferRefusal(transfer) ?? (await this.#parts.standing.refusal());
    if (refusal !== undefined) return { kind: 'refused', refusal };
    const now = standing(record, transfer);
    const { offset, promised } = chunk;
    if (offset !== now.offset) return { kind: 'elsewhere', ...now };
    const size = chunk.size ?? now.size;
    if (now.size !== null && size !== now.size) return { kind: 'otherwise', ...now };
    const { destination } = announcement(record);
    const largest = this.#largest(record);
    if (now.size === null && (size ?? offset + (promised.length ?? 0)) > largest)
      return { kind: 'refused', refusal: tooLarge(destination, largest) };
    const most = size === null ? undefined : size - offset;
    if (most !== undefined && ((promised.length ?? 0) > most || (promised.ends && (promised.length ?? most) < most)))
      return { kind: 'refused', refusal: tooLongRefusal(size ?? 0, offset, promised.length ?? 0) };
    if (transfer.outcome === 'received') return { kind: 'appended', ...now };
    const leave = this.#bodies.enter(record);
    if (leave === undefined) return { kind: 'refused', refusal: crowded };
    const inflow = new Inflow(chunk.stream);
    const end = this.#writers.enter(record.id, () => inflow.stop('taken-over'));
    try {
      const small = offset === 0 ? await storeSmall(this.#parts, record, { ...chunk, size }, inflow) : undefined;
      if (small === undefined) return await this.#inPieces(record, chunk, inflow, size);
      return 'refusal' in small ? { kind: 'refused', ...small } : await this.#arrive(record, small);
    } finally {
      end();
      leave();
    }
  }

  /** A partial upload has no destination: the upload that joins it is held to its own. */
  #largest(record: OperationRecord): number {
    return isPartial(record) ? largestUpload : this.#parts.destinations.largest(announcement(record).destination);
  }

  async #inPieces(record: OperationRecord, chunk: Chunk, inflow: Inflow, size: number | null): Promise<Appended> {
    const { offset, promised } = chunk;
    const session = await takeSession(this.#parts.database, record, offset, chunk.size);
    if (session.kind === 'ended') return await this.#elsewhere(record);
    if (session.kind !== 'taken')
      return { kind: session.kind, offset: session.received, size: session.size, complete: false };
    const { id, tenant } = record;
    const { type } = announcement(record);
    const { acknowledged } = chunk;
    const upload = { id, tenant, type, largest: this.#largest(record), acknowledged, inPieces: isPartial(record) };
    const writing = new PieceWriting(this.#parts, upload, session, inflow, promised);
    return await this.#answer(record, chunk, size, await writing.run());
  }

  async #answer(
    record: OperationRecord,
    { method, promised }: Chunk,
    size: number | null,
    written: Written,
  ): Promise<Appended> {
    switch (written.kind) {
      case 'ended': {
        const { received, objectKey, sha256, start } = written;
        const all = size ?? (promised.ends ? received : null);
        if (isPartial(record) || received !== all)
          return { kind: 'appended', offset: received, size: all, complete: received === all };
        const bytes = { method, size: all, sha256, sniffedType: await sniffStart(start, all) };
        return await this.#arrive(
          record,
          objectKey === undefined
            ? { ...bytes, objectKey: joinedKey(record.id), inPieces: true }
            : { ...bytes, objectKey },
        );
      }
      case 'broken':
        if (written.why === 'cut') return { kind: 'cut' };
        if (written.why !== 'taken-over') return { kind: 'refused', refusal: brokenRefusal(written.why) };
        return await this.#elsewhere(record);
      case 'taken-over':
        return await this.#elsewhere(record);
      case 'too-long':
        return {
          kind: 'refused',
          refusal:
            size === null
              ? tooLarge(announcement(record).destination, this.#largest(record))
              : tooLongRefusal(size, written.received, undefined),
        };
      case 'digest-differs':
        return { kind: 'refused', refusal: chunkDigestRefusal };
      case 'lost': {
        // The story finds that not all pieces are there and refuses, so that the key begins anew.
        const bytes = { method, size: size ?? written.received, sha256: null, sniffedType: null, inPieces: true };
        await this.#arrive(record, { ...bytes, objectKey: joinedKey(record.id) });
        return { kind: 'refused', refusal: piecesLost };
      }
      case 'failed':
        this.#parts.log(`A piece of ${record.id} was not stored`, written.error);
        return { kind: 'refused', refusal: storeAway };
    }
  }

  async #elsewhere(record: OperationRecord): Promise<Appended> {
    return { kind: 'elsewhere', ...standing(record, await readUpload(this.#parts, record)) };
  }

  async #arrive(record: OperationRecord, bytes: Parameters<typeof commitBytes>[2]): Promise<Appended> {
    const counted = await commitBytes(this.#parts, record, bytes);
    // Another body has brought all bytes meanwhile.
    if (counted.kind === 'refused') return counted.refusal === otherBytes ? await this.#elsewhere(record) : counted;
    return { kind: 'appended', offset: counted.size, size: counted.size, complete: true };
  }

  async #arriveFromSession(record: OperationRecord, session: SessionFacts): Promise<void> {
    const { received: size, start, hash, crc64nvme } = session;
    const { transfer: method = 'tus' } = announcement(record);
    const sha256 = (hash && RunningHash.resume(hash)?.digest()) ?? null;
    const bytes = { method, size, sha256, sniffedType: await sniffStart(start, size) };
    await this.#arrive(record, { ...bytes, objectKey: joinedKey(record.id), inPieces: true, crc64nvme });
  }
}
