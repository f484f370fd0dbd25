import type { OperationRecord } from '../../activities/stores/postgres/ledger/read-operation.ts';
import { presignedBytes } from '../../activities/stores/s3/presigned-bytes.ts';
import { presignPut } from '../../activities/stores/s3/presign-put.ts';
import { presignedKey } from '../../activities/stores/s3/upload-keys.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import { largestPut, signatureLifetime } from '../../workflows/upload.flow.ts';
import { commitBytes } from './commit-bytes.ts';
import { readUpload } from './read-upload.ts';
import { type Answered, received, refused } from './received.ts';
import { storeAway, transferRefusal } from './transfer-refusal.ts';
import { announcement, type UploadParts } from './upload-parts.ts';

const missing: Refusal = {
  code: 'bytes-missing',
  detail: 'The bytes have not arrived: send them as the transfer plan says, then complete the upload again.',
};

/** A request that the caller makes to the object store. */
export type SignedPut = {
  readonly method: 'PUT';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
};

/** The way for bytes that go straight to the object store. We do not see them, so the caller says when they are there. */
export class PresignedWay {
  readonly #parts: UploadParts;

  constructor(parts: UploadParts) {
    this.#parts = parts;
  }

  /**
   * Signs a PUT, afresh for each answer.
   * @param left milliseconds until the upload expires
   * @returns undefined when this way is not open: no digest was announced, or the store has failed its proof
   */
  async sign(record: OperationRecord, left: number): Promise<SignedPut | undefined> {
    const { size, type, sha256 } = announcement(record);
    if (
      sha256 === undefined ||
      size === undefined ||
      size > largestPut ||
      (await this.#parts.standing.refusal()) !== undefined
    )
      return undefined;
    const promised = { key: presignedKey(record.id), size, type, sha256, operation: record.id, tenant: record.tenant };
    return await presignPut(this.#parts.objects, promised, Math.min(signatureLifetime, left));
  }

  /** Completes the upload when its caller says that the PUT was made. Repeatable: received bytes stay received. */
  async complete(record: OperationRecord): Promise<Answered> {
    const transfer = await readUpload(this.#parts, record);
    // After the deadline the row stays open until the story has closed it, and bytes that are there count until then.
    const late = transfer.outcome === 'open' && transfer.due;
    const closed = transferRefusal(late ? { ...transfer, due: false } : transfer);
    if (closed !== undefined) return refused(closed);
    if (transfer.outcome === 'received') return received(transfer.bytes, true);
    const untrusted = await this.#parts.standing.refusal();
    if (untrusted !== undefined) return refused(untrusted);
    const bytes = await presignedBytes(this.#parts.objects, record.id).catch((error: unknown) => {
      this.#parts.log(`The object of ${record.id} could not be looked at`, error);
      return 'unknown' as const;
    });
    if (bytes === 'unknown') return refused(storeAway);
    if (bytes === undefined) return refused(transferRefusal(transfer) ?? missing);
    return await commitBytes(this.#parts, record, bytes, late);
  }
}
