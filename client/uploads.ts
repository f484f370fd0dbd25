// Placeholder while this file is being written by the engineer of the upload flow: overwrite it.
import type { Readable } from 'node:stream';
import type { Database } from '../activities/stores/postgres/database.ts';
import type { OperationRecord } from '../activities/stores/postgres/read-operation.ts';
import type { ObjectStore } from '../activities/stores/s3/object-store.ts';
import type { Refusal } from '../workflows/operation/outcome.ts';
import type { Gateway } from './gateway.ts';

export type UploadParts = {
  readonly database: Database;
  readonly objects: ObjectStore;
  readonly gateway: Gateway;
  readonly log: (message: string, error: unknown) => void;
};
export type TransferPlan = {
  readonly method: 'PUT';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
};
export type Received =
  | { readonly kind: 'received'; readonly size: number; readonly sha256: string | null; readonly repeated: boolean }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'cut' };
export class Uploads {
  constructor(_parts: UploadParts) {}
  async plan(_record: OperationRecord, _base: string): Promise<TransferPlan | undefined> {
    return undefined;
  }
  async receiveBytes(
    _r: OperationRecord,
    _s: Readable,
    _l: number | undefined,
    _t: string | undefined,
  ): Promise<Received> {
    return { kind: 'cut' };
  }
  async complete(_r: OperationRecord): Promise<Exclude<Received, { kind: 'cut' }>> {
    throw new Error('not here');
  }
}
