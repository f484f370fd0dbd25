import type { Readable } from 'node:stream';
import type { Database } from '../../../activities/stores/postgres/database.ts';
import type { Piece } from '../../../activities/stores/postgres/uploads/sessions/keep-piece.ts';
import type { Segment, Tail } from '../../../activities/stores/postgres/uploads/sessions/take-session.ts';
import { beginSegment } from '../../../activities/stores/postgres/uploads/sessions/begin-segment.ts';
import { deleteObject } from '../../../activities/stores/s3/delete-object.ts';
import { abortMultipart } from '../../../activities/stores/s3/multipart/abort-multipart.ts';
import { beginMultipart } from '../../../activities/stores/s3/multipart/begin-multipart.ts';
import { uploadPart } from '../../../activities/stores/s3/multipart/upload-part.ts';
import type { ObjectStore } from '../../../activities/stores/s3/object-store.ts';
import { putOnce } from '../../../activities/stores/s3/put-once.ts';
import { putStream } from '../../../activities/stores/s3/put-stream.ts';
import { operationToken } from '../../../activities/stores/s3/operation-token.ts';
import { openObject } from '../../../activities/stores/s3/read-object.ts';
import { partsKey } from '../../../activities/stores/s3/upload-keys.ts';

/** The upload and its writer. */
export type Writer = {
  readonly id: string;
  readonly tenant: string;
  readonly epoch: number;
  readonly type: string;
  readonly acknowledged: ((offset: number) => void) | undefined;
};

/** Another writer holds the session now. */
export class TakenOver extends Error {
  override readonly name = 'TakenOver';

  constructor() {
    super('Another writer has taken the upload over');
  }
}

/** Bytes that are about to be stored, with their exact length. */
export type Outgoing = { readonly body: Readable | Buffer; readonly size: number; readonly signal: AbortSignal };

/** Where one writer puts its pieces: in parts of one multipart upload, and in objects of their own. */
export class PieceStore {
  readonly #database: Database;
  readonly #objects: ObjectStore;
  readonly #writer: Writer;
  #segment: Segment;
  /** Objects that count for nothing yet. */
  readonly #unacknowledged = new Set<string>();

  constructor(database: Database, objects: ObjectStore, writer: Writer, segment: Segment) {
    this.#database = database;
    this.#objects = objects;
    this.#writer = writer;
    this.#segment = segment;
  }

  /** Stores a part. The number is used again until its piece is kept. */
  async part(at: number, { body, size, signal }: Outgoing): Promise<Piece> {
    const upload = this.#segment.upload ?? (await this.#begin());
    const { part } = this.#segment;
    const stored = await uploadPart(this.#objects, { ...upload, part, body, size, signal });
    this.#segment = { ...this.#segment, part: part + 1 };
    return { at, size, part, ...stored };
  }

  /** Stores bytes as an object of their own, under a key that is used once. Say so when they are acknowledged. */
  async object(objectKey: string, at: number, { body, size, signal }: Outgoing): Promise<Piece> {
    const { id: operation, type } = this.#writer;
    this.#unacknowledged.add(objectKey);
    if (Buffer.isBuffer(body))
      await putOnce(this.#objects, objectKey, body, { type, metadata: { [operationToken]: operation } });
    else await putStream(this.#objects, { key: objectKey, body, size, type, operation, signal });
    return { at, size, objectKey };
  }

  acknowledged(): void {
    this.#unacknowledged.clear();
  }

  /** Deletes what this writer has stored for nothing. What stays, because the store is away, the sweep finds. */
  async dropUnacknowledged(): Promise<void> {
    await Promise.all([...this.#unacknowledged].map((key) => deleteObject(this.#objects, key).catch(() => undefined)));
  }

  /** The bytes of small objects, in their order. */
  async *read(tails: readonly Tail[]): AsyncGenerator<Uint8Array> {
    for (const { objectKey } of tails)
      for await (const bytes of await openObject(this.#objects, objectKey)) yield bytes as Uint8Array;
  }

  async #begin(): Promise<NonNullable<Segment['upload']>> {
    const [objects, database] = [this.#objects, this.#database];
    const { id, tenant, epoch, type } = this.#writer;
    const objectKey = partsKey(id, epoch);
    const s3UploadId = await beginMultipart(objects, { key: objectKey, type, operation: id, checksum: 'CRC32' });
    const { segment } = this.#segment;
    if (!(await beginSegment(database, { id, tenant, epoch, segment, objectKey, s3UploadId }))) {
      await abortMultipart(objects, { objectKey, s3UploadId }).catch(() => undefined);
      throw new TakenOver();
    }
    this.#segment = { ...this.#segment, upload: { objectKey, s3UploadId } };
    return { objectKey, s3UploadId };
  }
}
