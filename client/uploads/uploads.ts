import type { OperationRecord } from '../../activities/stores/postgres/ledger/read-operation.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import { BucketStanding } from './bucket-standing.ts';
import { DoorWay, type Sent } from './door-way.ts';
import { PresignedWay, type SignedPut } from './presigned-way.ts';
import type { Answered, Received } from './received.ts';
import { announcement, type UploadParts } from './upload-parts.ts';

/** How the caller may send the bytes now. */
type TransferPlan =
  | { readonly way: 'door'; readonly type: string }
  | { readonly way: 'presigned'; readonly put: SignedPut };

/**
 * The ways in for bytes. All of them end in one row, where it is decided once which object counts. The story learns of
 * it afterwards.
 */
export class Uploads {
  readonly #standing: BucketStanding;
  readonly #door: DoorWay;
  readonly #presigned: PresignedWay;

  constructor(parts: Omit<UploadParts, 'standing'>) {
    this.#standing = new BucketStanding(parts.database, parts.objects);
    this.#door = new DoorWay({ ...parts, standing: this.#standing });
    this.#presigned = new PresignedWay({ ...parts, standing: this.#standing });
  }

  /** @returns why no new upload may begin now, if there is a reason */
  async refusal(): Promise<Refusal | undefined> {
    return await this.#standing.refusal();
  }

  /**
   * Plans how the caller sends the bytes, afresh for each answer.
   * @param wanted how this caller wants to send; by default as the upload was announced
   * @returns undefined when the upload takes no bytes now
   */
  async plan(record: OperationRecord, wanted?: TransferPlan['way']): Promise<TransferPlan | undefined> {
    if (record.settledAt !== null) return undefined;
    const { state, cancelRequestedAt, deadline } = record;
    const left = (deadline?.getTime() ?? 0) - Date.now();
    if ((state !== 'claimed' && state !== 'waiting') || cancelRequestedAt !== null || left <= 0) return undefined;
    const { type, transfer: announced = 'door' } = announcement(record);
    const put = (wanted ?? announced) === 'presigned' ? await this.#presigned.sign(record, left) : undefined;
    return put === undefined ? { way: 'door', type } : { way: 'presigned', put };
  }

  /** Takes bytes in one body through the HTTP API; see DoorWay. */
  async receiveBytes(record: OperationRecord, sent: Sent): Promise<Received> {
    return await this.#door.receive(record, sent);
  }

  /** Completes an upload whose caller says that its presigned PUT was made; see PresignedWay. */
  async complete(record: OperationRecord): Promise<Answered> {
    return await this.#presigned.complete(record);
  }
}
