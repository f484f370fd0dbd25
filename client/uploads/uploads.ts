import type { OperationRecord } from '../../activities/stores/postgres/ledger/read-operation.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import type { TransferMethod } from '../../activities/stores/postgres/uploads/read-transfer.ts';
import { presignedOwner } from '../../activities/stores/s3/presigned-bytes.ts';
import { isPresignedKey } from '../../activities/stores/s3/upload-keys.ts';
import { linkOwned } from './link-owned.ts';
import { largestPut } from '../../workflows/upload.flow.ts';
import { Appends } from './appends.ts';
import { Assets } from './assets.ts';
import { BucketStanding } from './bucket-standing.ts';
import { Destinations } from './destinations.ts';
import { DoorWay, type Sent } from './door-way.ts';
import { type MultipartPlan, MultipartWay } from './multipart-way.ts';
import { OpenBodies } from './open-bodies.ts';
import { PresignedWay, type SignedPut } from './presigned-way.ts';
import { type Answered, type Received, refused } from './received.ts';
import { notInOnePut } from './transfer-refusal.ts';
import { announcement, isPartial, type UploadParts } from './upload-parts.ts';

/** How the caller may send the bytes now. */
type TransferPlan =
  | { readonly way: 'door'; readonly type: string }
  | { readonly way: 'presigned'; readonly put: SignedPut }
  /** In bodies that go on where the bytes end that have come. */
  | { readonly way: 'tus' | 'resumable'; readonly offset: number }
  /** In parts that go straight to the object store. */
  | { readonly way: 'multipart'; readonly plan: MultipartPlan };

/**
 * The ways in for bytes. All of them end in one row, where it is decided once which object counts. The story learns of
 * it afterwards.
 */
export class Uploads {
  readonly #standing: BucketStanding;
  readonly #parts: UploadParts;
  readonly #door: DoorWay;
  readonly #presigned: PresignedWay;
  /** The way for bytes that come in several bodies. */
  readonly appends: Appends;
  /** What uploads have become. */
  readonly assets: Assets;
  /** The way for parts that go straight to the object store. */
  readonly multipart: MultipartWay;

  /** @param parts without `destinations` every destination takes every file */
  constructor(parts: Omit<UploadParts, 'standing' | 'destinations'> & Partial<Pick<UploadParts, 'destinations'>>) {
    this.#standing = new BucketStanding(parts.database, parts.objects);
    const all = { destinations: Destinations.read('{}'), ...parts, standing: this.#standing };
    this.#parts = all;
    const bodies = new OpenBodies();
    this.#door = new DoorWay(all, bodies);
    this.#presigned = new PresignedWay(all);
    this.appends = new Appends(all, bodies);
    this.multipart = new MultipartWay(all);
    this.assets = new Assets(all);
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
  async plan(record: OperationRecord, wanted?: TransferMethod): Promise<TransferPlan | undefined> {
    if (record.settledAt !== null) return undefined;
    const { state, cancelRequestedAt, deadline } = record;
    const left = (deadline?.getTime() ?? 0) - Date.now();
    if ((state !== 'claimed' && state !== 'waiting') || cancelRequestedAt !== null || left <= 0) return undefined;
    const { type, size, transfer: announced = 'door' } = announcement(record);
    const way = wanted ?? announced;
    const now = await this.appends.look(record);
    if ('refusal' in now || (now.complete && !isPartial(record))) return undefined;
    if (now.offset === 0 && !isPartial(record) && (await linkOwned(this.#parts, record))) return undefined;
    const goesOn = now.offset > 0 || size === undefined || size > largestPut || isPartial(record);
    if ((way === 'multipart' || way === 's3') && now.offset === 0 && size !== 0 && !isPartial(record)) {
      const plan = await this.multipart.plan(record, left);
      if (plan !== undefined) return { way: 'multipart', plan };
    }
    if (way === 'tus' || way === 'resumable') return { way, offset: now.offset };
    if (goesOn && way !== 'presigned') return { way: 'tus', offset: now.offset };
    const put = way === 'presigned' ? await this.#presigned.sign(record, left) : undefined;
    return put === undefined ? { way: 'door', type } : { way: 'presigned', put };
  }

  /** Takes bytes in one body through the HTTP API; see DoorWay. */
  async receiveBytes(record: OperationRecord, sent: Sent): Promise<Received> {
    return await this.#door.receive(record, sent);
  }

  /** Completes an upload whose caller says that what it sends to the object store was sent. */
  async complete(record: OperationRecord, crc64nvme?: string): Promise<Answered> {
    if (isPartial(record)) return refused(notInOnePut);
    const { transfer } = announcement(record);
    const inParts = transfer === 'multipart' || transfer === 's3' || (await this.multipart.isBegun(record));
    return inParts
      ? await this.multipart.complete(record, 'multipart', { crc64nvme })
      : await this.#presigned.complete(record);
  }

  /**
   * Completes the upload whose presigned PUT has written this object, as the store says. Repeatable.
   * @returns whether its bytes are there, by this call or an earlier one
   */
  async noticed(objectKey: string): Promise<boolean> {
    const { objects, gateway } = this.#parts;
    if (!isPresignedKey(objectKey)) return false;
    const owner = await presignedOwner(objects, objectKey);
    if (owner === undefined) return false;
    const record = await gateway.status(owner.tenant, owner.operation);
    return record !== undefined && (await this.#presigned.complete(record)).kind === 'received';
  }
}
