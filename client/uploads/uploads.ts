import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Database } from '../../activities/stores/postgres/database.ts';
import type { OperationRecord } from '../../activities/stores/postgres/ledger/read-operation.ts';
import {
  type ReceivedBytes,
  readTransfer,
  type Transfer,
  transferOf,
} from '../../activities/stores/postgres/uploads/read-transfer.ts';
import { receiveTransfer } from '../../activities/stores/postgres/uploads/receive-transfer.ts';
import { deleteObject } from '../../activities/stores/s3/delete-object.ts';
import type { ObjectStore } from '../../activities/stores/s3/object-store.ts';
import { presignedBytes } from '../../activities/stores/s3/presigned-bytes.ts';
import { presignPut } from '../../activities/stores/s3/presign-put.ts';
import { sniffLength, sniffType } from '../../activities/stores/s3/sniff-type.ts';
import { doorKey, presignedKey } from '../../activities/stores/s3/upload-keys.ts';
import type { RequestOf } from '../../workflows/operation/flow.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import { signatureLifetime, type uploadFlow } from '../../workflows/upload.flow.ts';
import type { Gateway } from '../gateway.ts';
import { BucketStanding } from './bucket-standing.ts';
import { MeasuredBody, readBody } from './measured-body.ts';
import { OpenBodies } from './open-bodies.ts';
import { storeBody } from './store-body.ts';
import { contentTypeRefusal, digestRefusal, lateRefusal, sizeRefusal, transferRefusal } from './transfer-refusal.ts';

export type UploadParts = {
  readonly database: Database;
  readonly objects: ObjectStore;
  readonly gateway: Gateway;
  readonly log: (message: string, error: unknown) => void;
};

/** What the caller does next. */
export type TransferPlan = {
  readonly method: 'PUT';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What ends the transfer where the PUT does not go through the door, which then hears nothing of it. */
  readonly complete?: { readonly method: 'POST'; readonly url: string };
};

export type Received =
  /** The bytes are the upload's; `repeated` where they had been before. `sha256` is null where S3 alone has seen them. */
  | { readonly kind: 'received'; readonly size: number; readonly sha256: string | null; readonly repeated: boolean }
  /** Nothing was kept. The body may be unread. */
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** The caller went away in the middle: nothing was kept, and nobody is left to be told. */
  | { readonly kind: 'cut' };

/**
 * The ways by which bytes come, all of them translators into one row: which object counts is decided there, once, and
 * the story is told afterwards.
 */
export class Uploads {
  readonly #parts: UploadParts;
  readonly #bodies = new OpenBodies();
  readonly #standing: BucketStanding;

  constructor(parts: UploadParts) {
    this.#parts = parts;
    this.#standing = new BucketStanding(parts.database, parts.objects);
  }

  /** @returns why no new upload may begin now, if there is a reason */
  async refusal(): Promise<Refusal | undefined> {
    return await this.#standing.refusal();
  }

  /**
   * What the caller has to do, made anew for each answer; undefined where the upload takes no bytes (any more).
   * @param base the door's address as the caller sees it
   * @param transfer how this caller wants to send; what the upload was announced with where nothing is said
   */
  async plan(
    record: OperationRecord,
    base: string,
    transfer?: 'door' | 'presigned',
  ): Promise<TransferPlan | undefined> {
    const { id, state, cancelRequestedAt, deadline } = record;
    const left = (deadline?.getTime() ?? 0) - Date.now();
    if ((state !== 'claimed' && state !== 'waiting') || cancelRequestedAt !== null || left <= 0) return undefined;
    const { size, type, sha256, transfer: announced = 'door' } = announcement(record);
    const urlOf = (what: string) => new URL(`/v1/uploads/${id}/${what}`, base).href;
    const trusted = (await this.#standing.refusal()) === undefined;
    // Nothing of ours sees a presigned PUT: a store that has failed its proof is given none.
    if ((transfer ?? announced) === 'presigned' && sha256 !== undefined && trusted) {
      const promised = { key: presignedKey(id), size, type, sha256, operation: id };
      const put = await presignPut(this.#parts.objects, promised, Math.min(signatureLifetime, left));
      return { ...put, complete: { method: 'POST', url: urlOf('complete') } };
    }
    return { method: 'PUT', url: urlOf('content'), headers: { 'content-type': type } };
  }

  /**
   * Takes the bytes of an upload through the door into an object of their own. The first to be committed count; the
   * same bytes again are answered alike, and others are refused.
   * @throws LedgerFault `unavailable`: nobody knows whether the bytes count; sending them again finds out
   */
  async receiveBytes(
    record: OperationRecord,
    stream: Readable,
    contentLength: number | undefined,
    contentType: string | undefined,
  ): Promise<Received> {
    const { size, type } = announcement(record);
    const transfer = await this.#read(record);
    const closed = transferRefusal(transfer);
    if (closed !== undefined) return refused(closed);
    if (transfer.outcome === 'received') return await this.#again(transfer.bytes, stream, contentLength);
    const untrusted = await this.#standing.refusal();
    if (untrusted !== undefined) return refused(untrusted);
    const wrongType = contentTypeRefusal(type, contentType);
    if (wrongType !== undefined) return refused(wrongType);
    if (contentLength !== undefined && contentLength !== size) return refused(sizeRefusal(size, String(contentLength)));

    const leave = this.#bodies.enter(record);
    if (leave === undefined) return refused(crowded);
    try {
      return await this.#store(record, stream);
    } finally {
      leave();
    }
  }

  async #store(record: OperationRecord, stream: Readable): Promise<Received> {
    const { size, type, sha256 } = announcement(record);
    const { objects, log } = this.#parts;
    const ending = new AbortController();
    const body = new MeasuredBody(stream, { size, sha256 }, sniffLength, () => ending.abort());
    const objectKey = doorKey(record.id, randomUUID());
    const about = { key: objectKey, size, type, operation: record.id, signal: ending.signal };
    const stored = await storeBody(objects, body, about, (error) => log(`No object for ${record.id}`, error));
    switch (stored.kind) {
      case 'cut':
        return { kind: 'cut' };
      case 'silent':
      case 'slow':
        return refused(lateRefusal(stored.kind));
      case 'too-long':
      case 'too-short':
        return refused(sizeRefusal(size, stored.kind === 'too-long' ? 'more' : String(body.size)));
      case 'other-bytes':
        return refused(digestRefusal(sha256, body.digest()));
      case 'failed':
        return refused(storeAway);
      case 'stored': {
        const sniffedType = await sniffType(body.start);
        return await this.#commit(record, { method: 'door', objectKey, size, sha256: stored.sha256, sniffedType });
      }
    }
  }

  /** The caller says that a presigned PUT was made. Repeatable: what has been received stays so. */
  async complete(record: OperationRecord): Promise<Exclude<Received, { kind: 'cut' }>> {
    const transfer = await this.#read(record);
    // Past the deadline the row is still open until the story has closed it, and bytes that are there count until then.
    const late = transfer.outcome === 'open' && transfer.due;
    const closed = transferRefusal(late ? { ...transfer, due: false } : transfer);
    if (closed !== undefined) return refused(closed);
    if (transfer.outcome === 'received') return received(transfer.bytes, true);
    const untrusted = await this.#standing.refusal();
    if (untrusted !== undefined) return refused(untrusted);
    const bytes = await presignedBytes(this.#parts.objects, record.id).catch((error: unknown) => {
      this.#parts.log(`The object of ${record.id} could not be looked at`, error);
      return 'unknown' as const;
    });
    if (bytes === 'unknown') return refused(storeAway);
    if (bytes === undefined) return refused(transferRefusal(transfer) ?? missing);
    return await this.#commit(record, bytes, late);
  }

  async #read({ id, tenant }: OperationRecord): Promise<Transfer> {
    const [rows] = await this.#parts.database.flush(tenant, readTransfer(id));
    return transferOf(rows);
  }

  /** The row commits before the signal, so that a story that wakes always finds it. */
  async #commit(
    record: OperationRecord,
    bytes: ReceivedBytes,
    late = false,
  ): Promise<Exclude<Received, { kind: 'cut' }>> {
    const { database, objects, gateway, log } = this.#parts;
    const transfer = await receiveTransfer(database, record, bytes, late);
    const counted = transfer.outcome === 'received' ? transfer.bytes : undefined;
    if (counted?.objectKey === bytes.objectKey) {
      void gateway.signal(record, 'wake');
      return received(counted, false);
    }
    // A presigned object belongs to the operation, not to this call: while the row is open the story may yet adopt it.
    if (bytes.method === 'door' || transfer.outcome !== 'open')
      await deleteObject(objects, bytes.objectKey).catch((error: unknown) =>
        log(`The object ${bytes.objectKey} does not count and was left behind`, error),
      );
    const closed = transferRefusal(transfer);
    if (closed !== undefined) return refused(closed);
    return counted?.sha256 === bytes.sha256 && counted.size === bytes.size ? received(counted, true) : refused(others);
  }

  /** Bytes for an upload that has its bytes: read, compared, and not kept. */
  async #again(bytes: ReceivedBytes, stream: Readable, contentLength: number | undefined): Promise<Received> {
    if (contentLength !== undefined && contentLength !== bytes.size) return refused(others);
    const read = await readBody(stream, { size: bytes.size });
    if (read.kind === 'cut') return { kind: 'cut' };
    if (read.kind === 'silent' || read.kind === 'slow') return refused(lateRefusal(read.kind));
    return read.kind === 'read' && read.sha256 === bytes.sha256 ? received(bytes, true) : refused(others);
  }
}

const storeAway: Refusal = {
  code: 'storage-unavailable',
  detail: 'The object store did not take the bytes: send them again.',
};
const crowded: Refusal = {
  code: 'too-many-requests',
  detail:
    'Too many transfers of this upload, or of this caller, are under way: end one of them, then send the bytes again.',
};
const missing: Refusal = {
  code: 'bytes-missing',
  detail: 'The bytes have not arrived: send them as the transfer plan says, then complete the upload again.',
};
const others: Refusal = {
  code: 'bytes-unexpected',
  detail: 'This upload has its bytes already, and these are others: announce another upload, with a key of its own.',
};

function refused(refusal: Refusal): { readonly kind: 'refused'; readonly refusal: Refusal } {
  return { kind: 'refused', refusal };
}

function received({ size, sha256 }: ReceivedBytes, repeated: boolean) {
  return { kind: 'received', size, sha256, repeated } as const;
}

function announcement(record: OperationRecord): RequestOf<typeof uploadFlow> {
  return record.request as RequestOf<typeof uploadFlow>;
}
