import { createHash, type Hash } from 'node:crypto';
import type { TakenSession } from '../../../activities/stores/postgres/uploads/sessions/take-session.ts';
import { LedgerFault } from '../../../activities/stores/postgres/ledger-fault.ts';
import { namesGone, statusOf } from '../../../activities/stores/s3/object-missing.ts';
import { tailKey, wholeKey } from '../../../activities/stores/s3/upload-keys.ts';
import { seconds } from '../../../workflows/operation/duration.ts';
import { partLimits, pieceLength, pieceTime, smallestPart } from '../../../workflows/operation/part-limits.ts';
import type { SentDigest } from '../measured-body.ts';
import type { UploadParts } from '../upload-parts.ts';
import type { Written } from './written.ts';
import { type Break, type Gathered, type Inflow, InflowBroken } from './inflow.ts';
import { KeptBytes } from './kept-bytes.ts';
import { collect, inTurn, pieceBody } from './piece-body.ts';
import { PieceLog } from './piece-log.ts';
import { type Outgoing, PieceStore, TakenOver, type Writer } from './piece-store.ts';

/** What one body is, as far as its sender says it. */
export type Promised = {
  /** Bytes of this body; undefined when the sender does not say. */
  readonly length: number | undefined;
  /** Whether the upload ends with this body. Otherwise it ends when its size is reached. */
  readonly ends: boolean;
  /** Nothing is kept unless the whole body has this digest. */
  readonly digest: SentDigest | undefined;
};

/** All bytes of the upload, in one object. */
type Whole = { readonly objectKey: string; readonly size: number };

/** `whole`: all bytes in one object. `part`: of a multipart upload. `tail`: too small for a part. */
type Kind = 'whole' | 'part' | 'tail';

/** Enough to tell a fast sender from a slow one. */
export const firstLook = { bytes: 128 * 1024, patience: seconds(1) } as const;
/** A body that does not tell its length is held in memory for a part. Bytes. */
const unpromised = partLimits.smallest;
/** From this size on an upload is not sent again as a whole because its last bytes came late. Bytes. */
const largestWhole = 16 * 1024 ** 2;

/** One body that is written behind the acknowledged bytes of an upload, piece by piece. */
export class PieceWriting {
  readonly #id: string;
  readonly #epoch: number;
  readonly #store: PieceStore;
  readonly #log: PieceLog;
  readonly #inflow: Inflow;
  readonly #promised: Promised;
  readonly #size: number | null;
  /** Bytes that the upload may have at most. */
  readonly #most: number;
  readonly #first: number;
  readonly #inPieces: boolean;
  readonly #digest: Hash | undefined;
  /** Why a body could not be given to the store. The SDK then only says that its call was aborted. */
  #fault: unknown;

  constructor(
    { database, objects }: UploadParts,
    upload: Omit<Writer, 'epoch'> & {
      /** Whether even few bytes are acknowledged as a piece, since they become no file by themselves. */
      readonly inPieces: boolean;
      /** Bytes of the largest file that its destination takes. */
      readonly largest: number;
    },
    session: TakenSession,
    inflow: Inflow,
    promised: Promised,
  ) {
    const { epoch, received, size } = session;
    const writer = { ...upload, epoch };
    this.#id = upload.id;
    this.#inPieces = upload.inPieces;
    this.#epoch = epoch;
    this.#store = new PieceStore(database, objects, writer, session);
    this.#log = new PieceLog(database, writer, session, promised.digest !== undefined);
    this.#inflow = inflow;
    this.#promised = promised;
    this.#size = size;
    this.#most = size ?? upload.largest;
    this.#first = received;
    this.#digest = promised.digest === undefined ? undefined : createHash(promised.digest.algorithm);
  }

  /** @throws LedgerFault when nobody knows whether the newest bytes were acknowledged */
  async run(): Promise<Written> {
    const written = await this.#written();
    // The upload may be settled by now, and its story has removed what it found. A store that has failed is left alone.
    if (!['ended', 'lost', 'failed'].includes(written.kind)) await this.#store.dropUnacknowledged();
    return written;
  }

  async #written(): Promise<Written> {
    try {
      for (;;) {
        const written = await this.#next();
        if (written !== undefined) return written;
      }
    } catch (error) {
      if (error instanceof TakenOver) return { kind: 'taken-over' };
      if (error instanceof LedgerFault) throw error;
      // The store may have failed because the one who took over has finished, and its leftovers are gone.
      if (!(await this.#log.holds())) return { kind: 'taken-over' };
      // A store that refuses early lets go of a body that is still being read: then both say something.
      if (namesGone(error) || namesGone(this.#fault)) return { kind: 'lost', received: this.#log.at };
      // Of a part without an answer nobody knows: the next writer begins another multipart upload.
      if (statusOf(error) !== undefined) await this.#log.rest();
      return { kind: 'failed', error };
    }
  }

  async #next(): Promise<Written | undefined> {
    const look = await this.#inflow.gather(firstLook.bytes, firstLook.patience);
    if (look.ended || look.broken !== undefined) return await this.#remainder(look);
    this.#inflow.unread(look.bytes);
    const { length } = this.#promised;
    if (length === undefined) return await this.#remainder(await this.#inflow.gather(unpromised, pieceTime));
    const left = this.#first + length - this.#log.at;
    return await this.#stream(Math.min(left, pieceLength(this.#inflow.rate, this.#size ?? 2 * this.#log.at)));
  }

  /** Stores bytes that are all there. */
  async #remainder({ bytes, length, ended, broken }: Gathered): Promise<Written | undefined> {
    const log = this.#log;
    if (log.at + length > this.#most) {
      await log.rest();
      return { kind: 'too-long', received: log.at };
    }
    const last = ended && (this.#promised.ends || log.at + length === this.#size);
    const kind = this.#kindOf(length, last);
    let whole: Whole | undefined;
    // What broke off in a body with a digest is not kept. An empty file is an object too.
    if (broken === undefined ? length > 0 || kind === 'whole' : length > 0 && this.#digest === undefined) {
      for (const some of bytes) this.#saw(some);
      whole = await this.#put(kind, await this.#joined(kind, bytes, length), ended || broken !== undefined);
    }
    if (broken !== undefined) return await this.#broken(broken);
    return ended || whole !== undefined ? await this.#end(whole) : undefined;
  }

  /** Bytes that are all there, behind those that stand in no part yet. Of a huge upload these are more than memory holds. */
  async #joined(kind: Kind, bytes: readonly Buffer[], length: number): Promise<Outgoing> {
    const { at, from, tails } = this.#log;
    if (kind === 'tail') return { body: Buffer.concat(bytes), size: length, signal: never };
    const before = this.#store.read(tails);
    const size = at - from + length;
    if (kind === 'whole') return { body: Buffer.concat([...(await collect(before)), ...bytes]), size, signal: never };
    const ending = new AbortController();
    const body = pieceBody(
      inTurn(before, bytes),
      this.#inflow,
      0,
      () => undefined,
      (error) => {
        this.#fault = error;
        ending.abort();
      },
    );
    return { body, size, signal: ending.signal };
  }

  /** Stores the next bytes as they come. */
  async #stream(length: number): Promise<Written | undefined> {
    const log = this.#log;
    const rest = this.#promised.length !== undefined && log.at + length === this.#first + this.#promised.length;
    const kind = this.#kindOf(length, log.at + length === this.#size || (this.#promised.ends && rest));
    const before = kind === 'tail' ? [] : log.tails;
    const size = length + (kind === 'tail' ? 0 : log.at - log.from);
    const copy = new KeptBytes();
    const ending = new AbortController();
    const mark = log.mark();
    const body = pieceBody(
      this.#store.read(before),
      this.#inflow,
      length,
      (bytes) => {
        this.#saw(bytes);
        copy.add(bytes);
      },
      (error) => {
        this.#fault = error;
        ending.abort();
      },
    );
    try {
      const whole = await this.#put(kind, { body, size, signal: ending.signal }, rest);
      return whole && (await this.#end(whole));
    } catch (error) {
      body.destroy();
      const fault = this.#fault;
      if (!(fault instanceof InflowBroken)) throw error;
      const bytes = this.#digest === undefined ? copy.bytes : undefined;
      if (bytes === undefined) log.returnTo(mark);
      else if (bytes.length > 0) await this.#put('tail', { body: bytes, size: bytes.length, signal: never }, true);
      return await this.#broken(fault.why);
    } finally {
      copy.drop();
    }
  }

  #kindOf(length: number, last: boolean): Kind {
    const { at, from } = this.#log;
    const size = at + length - from;
    if (last && from === 0 && size <= largestWhole && !this.#inPieces) return 'whole';
    return last || size >= smallestPart(this.#size ?? 2 * at) ? 'part' : 'tail';
  }

  #saw(bytes: Buffer): void {
    this.#digest?.update(bytes);
    this.#log.saw(bytes);
  }

  /** @returns the object, where it holds all bytes: it counts once it is recorded as such */
  async #put(kind: Kind, outgoing: Outgoing, rests: boolean): Promise<Whole | undefined> {
    const { at, from } = this.#log;
    switch (kind) {
      case 'whole': {
        const objectKey = wholeKey(this.#id, this.#epoch);
        const { size } = await this.#store.object(objectKey, 0, outgoing);
        return { objectKey, size };
      }
      case 'part':
        await this.#log.keep(await this.#store.part(from, outgoing), rests);
        return undefined;
      case 'tail':
        await this.#log.keep(await this.#store.object(tailKey(this.#id, this.#epoch, at), at, outgoing), rests);
        if (this.#digest === undefined) this.#store.acknowledged();
        return undefined;
    }
  }

  async #end(whole: Whole | undefined): Promise<Written> {
    const log = this.#log;
    const { digest } = this.#promised;
    if (digest !== undefined && this.#digest?.digest().equals(digest.value) !== true) {
      await log.rest();
      return { kind: 'digest-differs' };
    }
    if (whole === undefined) await log.end();
    this.#store.acknowledged();
    const { sha256, start } = log;
    return { kind: 'ended', received: whole?.size ?? log.at, objectKey: whole?.objectKey, sha256, start };
  }

  async #broken(why: Break): Promise<Written> {
    await this.#log.rest();
    return { kind: 'broken', why };
  }
}

const never = new AbortController().signal;
