import {
  type Keeping,
  keepPieces,
  type Piece,
  restSession,
} from '../../../activities/stores/postgres/uploads/sessions/keep-piece.ts';
import { holdsSession } from '../../../activities/stores/postgres/uploads/sessions/holds-session.ts';
import type {
  SavedHash,
  Tail,
  TakenSession,
} from '../../../activities/stores/postgres/uploads/sessions/take-session.ts';
import type { Database } from '../../../activities/stores/postgres/database.ts';
import { sniffLength } from '../../../activities/file-type/sniff-type.ts';
import { uploadFlow } from '../../../workflows/upload.flow.ts';
import { TakenOver, type Writer } from './piece-store.ts';
import { RunningHash } from './running-hash.ts';

/** What has been seen of the bytes, up to one of them. */
type Mark = { readonly hash: SavedHash | undefined; readonly start: Buffer };

/** What one writer has stored, and acknowledges. */
export class PieceLog {
  /** The next byte: all before it are stored. */
  at: number;
  /** The newest bytes, which stand in no part yet. */
  tails: readonly Tail[];
  /** The first bytes of the upload. */
  start: Buffer;
  readonly #database: Database;
  readonly #writer: Writer;
  readonly #atOnce: boolean;
  #hash: RunningHash | undefined;
  #held: Keeping[] = [];
  #rests = false;

  /** @param atOnce whether nothing is acknowledged before `end` */
  constructor(database: Database, writer: Writer, session: TakenSession, atOnce: boolean) {
    const { received, hash, start, tails } = session;
    this.#database = database;
    this.#writer = writer;
    this.#atOnce = atOnce;
    this.#hash = received === 0 ? RunningHash.begin() : hash === null ? undefined : RunningHash.resume(hash);
    this.at = received;
    this.start = start;
    this.tails = tails;
  }

  /** Offset of the first byte that stands in no part. */
  get from(): number {
    return this.tails[0]?.at ?? this.at;
  }

  /** The SHA-256 of all bytes so far; null when they have to be read. */
  get sha256(): string | null {
    return this.#hash?.digest() ?? null;
  }

  saw(bytes: Buffer): void {
    this.#hash?.update(bytes);
    if (this.start.length < sniffLength)
      this.start = Buffer.concat([this.start, bytes.subarray(0, sniffLength - this.start.length)]);
  }

  mark(): Mark {
    return { hash: this.#hash?.save(), start: this.start };
  }

  /** What was seen since is not stored. */
  returnTo({ hash, start }: Mark): void {
    this.#hash = hash && RunningHash.resume(hash);
    this.start = start;
  }

  /**
   * @param rests whether no further piece comes, and no part is under way
   * @throws TakenOver when the bytes do not count
   */
  async keep(piece: Piece, rests: boolean): Promise<void> {
    this.at = piece.at + piece.size;
    this.tails = 'objectKey' in piece ? [...this.tails, piece] : [];
    const keeping = { piece, hash: this.#hash?.save() ?? null, start: this.start };
    if (this.#atOnce) this.#held.push(keeping);
    else await this.#acknowledge([keeping], rests);
  }

  /** Acknowledges what was held back. */
  async end(): Promise<void> {
    if (this.#held.length > 0) await this.#acknowledge(this.#held, true);
    else await this.rest();
  }

  /** The next writer goes on with the next number. */
  async rest(): Promise<void> {
    if (this.#rests) return;
    this.#rests = true;
    await restSession(this.#database, this.#writer);
  }

  /** Whether this writer is still the one that counts. */
  async holds(): Promise<boolean> {
    return await holdsSession(this.#database, this.#writer);
  }

  async #acknowledge(pieces: readonly Keeping[], rests: boolean): Promise<void> {
    const { patience } = uploadFlow.steps.receive;
    if (!(await keepPieces(this.#database, this.#writer, pieces, rests, patience))) throw new TakenOver();
    this.#rests = rests;
    if (!rests) this.#writer.acknowledged?.(this.at);
  }
}
