import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { OperationRecord } from '../../activities/stores/postgres/ledger/read-operation.ts';
import type { ReceivedBytes } from '../../activities/stores/postgres/uploads/read-transfer.ts';
import { sniffLength, sniffType } from '../../activities/file-type/sniff-type.ts';
import { doorKey } from '../../activities/stores/s3/upload-keys.ts';
import { largestPut } from '../../workflows/upload.flow.ts';
import { commitBytes } from './commit-bytes.ts';
import { MeasuredBody, readBody, type SentDigest } from './measured-body.ts';
import { crowded, type OpenBodies } from './open-bodies.ts';
import { readUpload } from './read-upload.ts';
import { type Received, received, refused } from './received.ts';
import { storeBody } from './store-body.ts';
import {
  chunkDigestRefusal,
  contentTypeRefusal,
  digestRefusal,
  lateRefusal,
  notInOnePut,
  otherBytes,
  sizeRefusal,
  storeAway,
  transferRefusal,
} from './transfer-refusal.ts';
import { announcement, isPartial, type UploadParts } from './upload-parts.ts';

/** A body, with what its sender says about it. */
export type Sent = {
  readonly stream: Readable;
  /** Bytes; undefined when the sender does not say. */
  readonly contentLength: number | undefined;
  readonly contentType: string | undefined;
  /** What the sender says of the bytes, if anything. */
  readonly digests?: readonly SentDigest[];
};

/** The way for bytes that come as one body through the HTTP API. Each body becomes an object of its own. */
export class DoorWay {
  readonly #parts: UploadParts;
  readonly #bodies: OpenBodies;

  constructor(parts: UploadParts, bodies: OpenBodies) {
    this.#parts = parts;
    this.#bodies = bodies;
  }

  /**
   * Takes the bytes. The first to be committed count; the same bytes again get the same answer, and others are refused.
   * @throws LedgerFault `unavailable` when we cannot tell whether the bytes count; send them again to find out
   */
  async receive(record: OperationRecord, sent: Sent): Promise<Received> {
    const { contentLength, contentType } = sent;
    const { type } = announcement(record);
    const transfer = await readUpload(this.#parts, record);
    const closed = transferRefusal(transfer);
    if (closed !== undefined) return refused(closed);
    const size = announcement(record).size ?? transfer.session?.size ?? undefined;
    if (size === undefined || size > largestPut || isPartial(record)) return refused(notInOnePut);
    if (transfer.outcome === 'received') return await this.#again(transfer.bytes, sent);
    const untrusted = await this.#parts.standing.refusal();
    if (untrusted !== undefined) return refused(untrusted);
    const wrongType = contentTypeRefusal(type, contentType);
    if (wrongType !== undefined) return refused(wrongType);
    if (contentLength !== undefined && contentLength !== size) return refused(sizeRefusal(size, String(contentLength)));
    const leave = this.#bodies.enter(record);
    if (leave === undefined) return refused(crowded);
    try {
      return await this.#store(record, size, sent);
    } finally {
      leave();
    }
  }

  async #store(record: OperationRecord, size: number, { stream, digests = [] }: Sent): Promise<Received> {
    const { type, sha256 } = announcement(record);
    const { objects, log } = this.#parts;
    const ending = new AbortController();
    const body = new MeasuredBody(stream, { size, sha256, digests }, sniffLength, () => ending.abort());
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
      case 'other-digest':
        return refused(chunkDigestRefusal);
      case 'failed':
        return refused(storeAway);
      case 'stored': {
        const sniffedType = await sniffType(body.start);
        const bytes = { method: 'door', objectKey, size, sha256: stored.sha256, sniffedType } as const;
        return await commitBytes(this.#parts, record, bytes);
      }
    }
  }

  /** Reads bytes for an upload that already has its bytes, and compares them. They are not kept. */
  async #again(bytes: ReceivedBytes, { stream, contentLength }: Sent): Promise<Received> {
    if (contentLength !== undefined && contentLength !== bytes.size) return refused(otherBytes);
    const read = await readBody(stream, { size: bytes.size });
    if (read.kind === 'cut') return { kind: 'cut' };
    if (read.kind === 'silent' || read.kind === 'slow') return refused(lateRefusal(read.kind));
    return read.kind === 'read' && read.sha256 === bytes.sha256 ? received(bytes, true) : refused(otherBytes);
  }
}
