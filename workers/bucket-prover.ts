import type { Logger } from 'pino';
import type { Database } from '../activities/stores/postgres/database.ts';
import {
  type BucketRow,
  keepBucketProof,
  putOffBucketProof,
  takeBucketProof,
} from '../activities/stores/postgres/ground/bucket-proofs.ts';
import type { ObjectStore } from '../activities/stores/s3/object-store.ts';
import { type BucketFinding, proveBucket } from '../activities/stores/s3/prove-bucket.ts';
import { days, minutes, seconds } from '../workflows/operation/duration.ts';

/** A store is upgraded or replaced behind its address now and then. */
const proveAgain = days(1);
/** A store that was fixed should be noticed soon. */
const failedAgain = minutes(1);
const awayAgain = seconds(10);

/** Tests the object store for all processes, beside upkeep's rounds, and keeps the finding in the ledger. */
export class BucketProver {
  readonly #database: Database;
  readonly #objects: ObjectStore;
  readonly #log: Logger;
  #trying: Promise<void> | undefined;

  constructor(database: Database, objects: ObjectStore, log: Logger) {
    this.#database = database;
    this.#objects = objects;
    this.#log = log;
  }

  /** Starts a test of the store if one is due, and does not wait for it. */
  look(): void {
    this.#trying ??= this.#prove()
      .catch((err: unknown) =>
        this.#log.warn({ err }, 'the proof of the object store could not be recorded; it will be tried again'),
      )
      .finally(() => {
        this.#trying = undefined;
      });
  }

  /** Waits until no test is running. */
  async idle(): Promise<void> {
    await this.#trying;
  }

  async #prove(): Promise<void> {
    if (!(await takeBucketProof(this.#database, this.#objects))) return;
    const finding = await proveBucket(this.#objects);
    if (finding.kind === 'unreachable') {
      await putOffBucketProof(this.#database, this.#objects, finding.why, awayAgain);
      return;
    }
    const row = rowOf(finding);
    if (row.state === 'failed')
      this.#log.error(`Uploads are refused: ${row.says} (the bucket ${this.#objects.bucket})`);
    await keepBucketProof(this.#database, this.#objects, row, row.state === 'holds' ? proveAgain : failedAgain);
  }
}

function rowOf({ faults, failedComplete }: Extract<BucketFinding, { kind: 'proved' }>): BucketRow {
  const holds = faults.length === 0;
  return {
    state: holds ? 'holds' : 'failed',
    says: holds
      ? `Of two concurrent PUTs one wins, and a wrong checksum is refused. A failed Complete: ${failedComplete}.`
      : `the store was tested, and ${faults.join('; ')}. Use a store that keeps conditional writes and checksums (docs/production.md).`,
    failed_complete: failedComplete,
  };
}
