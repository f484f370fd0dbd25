import { abortMultipart } from '../../activities/stores/s3/multipart/abort-multipart.ts';
import { beginMultipart } from '../../activities/stores/s3/multipart/begin-multipart.ts';
import { listParts } from '../../activities/stores/s3/multipart/list-parts.ts';
import type { CallerChecksum } from '../../workflows/operation/part-checksum.ts';
import { presignPart } from '../../activities/stores/s3/multipart/presign-part.ts';
import { objectMissing } from '../../activities/stores/s3/object-missing.ts';
import { callerPartsKey, joinedKey } from '../../activities/stores/s3/upload-keys.ts';
import type { OperationRecord } from '../../activities/stores/postgres/ledger/read-operation.ts';
import {
  beginCallerParts,
  type CallerParts,
  exchangeCallerParts,
  keepCallerParts,
  readCallerParts,
  signParts,
} from '../../activities/stores/postgres/uploads/sessions/caller-parts.ts';
import { partSizeFor } from '../../workflows/operation/part-limits.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import { signatureLifetime, uploadFlow } from '../../workflows/upload.flow.ts';
import { commitBytes } from './commit-bytes.ts';
import { checkedOtherwise, noSuchPart, proofMissing } from './part-refusal.ts';
import { readUpload } from './read-upload.ts';
import { type Answered, received, refused } from './received.ts';
import { isWhole, missingParts, partCount, partSizeOf, soundParts } from './sound-parts.ts';
import { notInOnePut, otherBytes, storeAway, transferRefusal } from './transfer-refusal.ts';
import { announcement, isPartial, type UploadParts } from './upload-parts.ts';
import { tooLarge } from './upload-terms.ts';

/** A request that the caller makes to the object store. */
export type SignedPart = {
  readonly number: number;
  /** Offset of its first byte, and how many; undefined where the caller chooses. */
  readonly offset: number | undefined;
  readonly size: number | undefined;
  readonly method: 'PUT';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
};

/** A part that the object store has. */
type ArrivedPart = { readonly number: number; readonly size: number; readonly etag: string };

export type MultipartPlan = {
  /** Bytes of each part but the last; null where the caller chooses. */
  readonly partSize: number | null;
  /** Undefined where the caller chooses. */
  readonly count: number | undefined;
  readonly arrived: readonly ArrivedPart[];
  /** What is missing, at most a page of it. */
  readonly parts: readonly SignedPart[];
};

/** What a caller knows of an upload that it completes. */
type Told = {
  readonly parts?: readonly { readonly number: number; readonly etag: string }[] | undefined;
  readonly crc64nvme?: string | undefined;
};

/** Signing takes a third of a millisecond each; a caller that needs more asks for them. */
const signedAtOnce = 100;

/** The way for large files that go straight to the object store in parts. We see none of the bytes. */
export class MultipartWay {
  readonly #parts: UploadParts;

  constructor(parts: UploadParts) {
    this.#parts = parts;
  }

  /** Whether the caller has asked for parts, however the upload was announced. */
  async isBegun(record: OperationRecord): Promise<boolean> {
    return (await readCallerParts(this.#parts.database, record)) !== undefined;
  }

  /**
   * Plans what is still to be sent, signed afresh.
   * @param left milliseconds until the upload expires
   */
  async plan(record: OperationRecord, left: number): Promise<MultipartPlan | undefined> {
    if ((await this.#parts.standing.refusal()) !== undefined) return undefined;
    const begun = await this.#begun(record);
    const { partSize, signed } = begun;
    const count = partCount(begun, announcement(record).size);
    const arrived = await this.#arrived(record, begun);
    const there = new Set(arrived.map(({ number }) => number));
    const missing = Array.from({ length: count ?? 0 }, (_, index) => index + 1).filter((number) => !there.has(number));
    const parts = missing
      .slice(0, signedAtOnce)
      .map(async (number) => await this.#sign(record, begun, { number, checksum: signed.get(number) }, left));
    return { partSize, count, arrived, parts: await Promise.all(parts) };
  }

  /**
   * Signs parts for exactly these bytes.
   * @param parts each with the checksum of its bytes, all by one algorithm
   */
  async sign(
    record: OperationRecord,
    algorithm: CallerChecksum['algorithm'],
    parts: readonly { readonly number: number; readonly checksum: string }[],
  ): Promise<readonly SignedPart[] | { readonly refusal: Refusal }> {
    const transfer = await readUpload(this.#parts, record);
    const refusal = transferRefusal(transfer) ?? (await this.#parts.standing.refusal());
    if (refusal !== undefined || isPartial(record)) return { refusal: refusal ?? notInOnePut };
    if (transfer.outcome === 'received') return { refusal: otherBytes };
    const begun = await this.#begunFor(record, algorithm);
    if ('refusal' in begun) return begun;
    const count = partCount(begun, announcement(record).size);
    const beyond = parts.find(({ number }) => number > (count ?? number));
    if (beyond !== undefined) return { refusal: noSuchPart(beyond.number, count ?? 0) };
    const signing = parts.map(({ number: part, checksum }) => ({ part, checksum }));
    const { patience } = uploadFlow.steps.receive;
    if (!(await signParts(this.#parts.database, record, begun, signing, patience)))
      return { refusal: checkedOtherwise(algorithm) };
    return await Promise.all(parts.map(async (part) => await this.#sign(record, begun, part, signatureLifetime)));
  }

  /**
   * Completes the upload when its caller says that all parts were sent. Repeatable.
   * @param told the parts as the caller knows them, by default those that the store has, and the CRC64NVME of the whole
   *   in base64
   */
  async complete(record: OperationRecord, method: 'multipart' | 's3', told: Told = {}): Promise<Answered> {
    const transfer = await readUpload(this.#parts, record);
    const closed = transferRefusal(transfer);
    if (closed !== undefined) return refused(closed);
    if (transfer.outcome === 'received') return received(transfer.bytes, true);
    const completed = await this.#complete(record, method, told);
    if (completed.kind === 'received') return completed;
    // Another call may have completed it meanwhile, and its parts are gone by now.
    const now = await readUpload(this.#parts, record);
    return now.outcome === 'received' ? received(now.bytes, true) : completed;
  }

  async #complete(
    record: OperationRecord,
    method: 'multipart' | 's3',
    { parts: named, crc64nvme }: Told,
  ): Promise<Answered> {
    const begun = await readCallerParts(this.#parts.database, record);
    if (begun === undefined) return refused(missingParts([]));
    const listed = await this.#listed(begun);
    if (listed === 'away') return refused(storeAway);
    const parts = soundParts(begun, listed, announcement(record).size, named);
    if ('refusal' in parts) return refused(parts.refusal);
    const { destination } = announcement(record);
    const largest = this.#parts.destinations.largest(destination);
    if (announcement(record).size === undefined && parts.size > largest) return refused(tooLarge(destination, largest));
    if (crc64nvme !== undefined && begun.algorithm !== 'CRC64NVME') return refused(checkedOtherwise('CRC64NVME'));
    // The store takes no part into a multipart upload by SHA-256 that does not have one.
    const proven =
      begun.algorithm === 'SHA256' ||
      announcement(record).sha256 !== undefined ||
      parts.parts.every(({ part }) => begun.signed.has(part));
    if (!proven && crc64nvme === undefined) return refused(proofMissing);
    const kept = await keepCallerParts(this.#parts.database, record, begun, parts.parts, crc64nvme);
    if (kept.outcome === 'other') return refused(otherBytes);
    if (kept.outcome === 'exchanged') return refused(missingParts(parts.parts.map(({ part }) => part)));
    return await commitBytes(this.#parts, record, {
      ...{ method, objectKey: joinedKey(record.id), size: parts.size, sha256: null, sniffedType: null },
      ...{ inPieces: true, crc64nvme: kept.crc64nvme },
    });
  }

  /** The parts that have arrived: those that the store lists with the checksum that was signed, if one was. */
  async arrived(record: OperationRecord): Promise<readonly ArrivedPart[]> {
    const begun = await readCallerParts(this.#parts.database, record);
    return begun === undefined ? [] : await this.#arrived(record, begun);
  }

  async #arrived(record: OperationRecord, begun: CallerParts): Promise<readonly ArrivedPart[]> {
    const listed = await this.#listed(begun);
    if (listed === 'away') return [];
    const { size } = announcement(record);
    return listed
      .filter((part) => isWhole(begun, part, size))
      .map(({ part: number, size: bytes, etag }) => ({ number, size: bytes, etag }));
  }

  async #listed(begun: CallerParts) {
    return await listParts(this.#parts.objects, begun).catch((error: unknown) => {
      if (objectMissing(error)) return [];
      this.#parts.log(`The parts of ${begun.objectKey} could not be listed`, error);
      return 'away' as const;
    });
  }

  /** @returns the multipart upload for parts of this kind, or why there is none: parts of another kind may have arrived */
  async #begunFor(
    record: OperationRecord,
    algorithm: CallerChecksum['algorithm'],
  ): Promise<CallerParts | { readonly refusal: Refusal }> {
    const begun = await this.#begun(record, algorithm);
    if (begun.algorithm === algorithm) return begun;
    const listed = await this.#listed(begun);
    if (listed === 'away') return { refusal: storeAway };
    if (listed.length > 0) return { refusal: checkedOtherwise(algorithm) };
    const { database, objects } = this.#parts;
    const next = await this.#beginOne(record, algorithm);
    const exchanged = await exchangeCallerParts(database, record, begun, next);
    await abortMultipart(objects, exchanged ? begun : next).catch(() => undefined);
    const now = await this.#begun(record, algorithm);
    return now.algorithm === algorithm ? now : { refusal: checkedOtherwise(algorithm) };
  }

  async #begun(record: OperationRecord, wanted?: CallerChecksum['algorithm']): Promise<CallerParts> {
    const { database, objects } = this.#parts;
    const known = await readCallerParts(database, record);
    if (known !== undefined) return known;
    const { size, transfer } = announcement(record);
    // Parts that come without a checksum are taken as well, since the CRC64NVME of the whole follows from them.
    const begins = await this.#beginOne(record, wanted ?? (transfer === 's3' ? 'SHA256' : 'CRC64NVME'));
    const partSize = transfer === 's3' || size === undefined ? null : partSizeFor(size);
    // Of two at once one counts.
    if (!(await beginCallerParts(database, record, { ...begins, partSize })))
      await abortMultipart(objects, begins).catch(() => undefined);
    const begun = await readCallerParts(database, record);
    if (begun === undefined) throw new Error(`The multipart upload of ${record.id} was begun and is gone`);
    return begun;
  }

  async #beginOne(record: OperationRecord, algorithm: CallerChecksum['algorithm']) {
    const objectKey = callerPartsKey(record.id);
    const { type } = announcement(record);
    const about = { key: objectKey, type, operation: record.id, checksum: algorithm };
    return { objectKey, s3UploadId: await beginMultipart(this.#parts.objects, about), algorithm };
  }

  async #sign(
    record: OperationRecord,
    begun: CallerParts,
    { number, checksum }: { readonly number: number; readonly checksum: string | undefined },
    left: number,
  ): Promise<SignedPart> {
    const { objectKey, s3UploadId, partSize, algorithm } = begun;
    const size = partSizeOf(begun, number, announcement(record).size);
    const offset = partSize === null ? undefined : (number - 1) * partSize;
    const lifetime = Math.min(signatureLifetime, left);
    const signed = checksum === undefined ? undefined : { algorithm, value: checksum };
    const promised = { objectKey, s3UploadId, part: number, size, checksum: signed };
    return { number, offset, size, ...(await presignPart(this.#parts.objects, promised, lifetime)) };
  }
}
