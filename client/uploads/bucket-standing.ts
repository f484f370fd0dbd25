import type { Database } from '../../activities/stores/postgres/database.ts';
import { type Bucket, readBucketProof } from '../../activities/stores/postgres/ground/bucket-proofs.ts';
import { seconds } from '../../workflows/operation/duration.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';

/** A store that has failed its proof is refused this much later at most, and so is one that was mended. */
const fresh = seconds(2);

/** Whether bytes may be taken for an object store, by what upkeep has seen of it. A store that is not proved yet may be. */
export class BucketStanding {
  readonly #database: Database;
  readonly #store: Bucket;
  #read: Promise<Refusal | undefined> | undefined;
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(database: Database, store: Bucket) {
    this.#database = database;
    this.#store = store;
  }

  /** @throws LedgerFault */
  async refusal(): Promise<Refusal | undefined> {
    const now = performance.now();
    if (this.#read === undefined || now - this.#readAt > fresh) {
      this.#readAt = now;
      const read = this.#look();
      this.#read = read;
      read.catch(() => {
        if (this.#read === read) this.#read = undefined;
      });
    }
    return await this.#read;
  }

  async #look(): Promise<Refusal | undefined> {
    const row = await readBucketProof(this.#database, this.#store);
    return row?.state === 'failed' ? untrusted : undefined;
  }
}

const untrusted: Refusal = {
  code: 'storage-unavailable',
  detail:
    'The object store has failed its proof: it does not keep what uploads rest on, and takes none until its operators have mended that. Ask again with the same key.',
};
