import type { Database } from '../../activities/stores/postgres/database.ts';
import type { OperationRecord } from '../../activities/stores/postgres/ledger/read-operation.ts';
import type { ObjectStore } from '../../activities/stores/s3/object-store.ts';
import type { RequestOf } from '../../workflows/operation/flow.ts';
import type { uploadFlow } from '../../workflows/upload.flow.ts';
import type { Gateway } from '../gateway.ts';
import type { BucketStanding } from './bucket-standing.ts';
import type { Destinations } from './destinations.ts';

/** What every way in needs. */
export type UploadParts = {
  readonly database: Database;
  readonly objects: ObjectStore;
  readonly gateway: Pick<Gateway, 'arrive' | 'status'>;
  readonly standing: BucketStanding;
  readonly destinations: Destinations;
  readonly log: (message: string, error: unknown) => void;
};

/** What the caller has announced. */
export function announcement(record: OperationRecord): RequestOf<typeof uploadFlow> {
  return record.request as RequestOf<typeof uploadFlow>;
}

/** A partial upload waits to be joined with others, and is no file of its own. */
export function isPartial(record: OperationRecord): boolean {
  return announcement(record).partial === true;
}
