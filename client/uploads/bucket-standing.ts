import type { Database } from '../../activities/stores/postgres/database.ts';
import { type Bucket, readBucketProof } from '../../activities/stores/postgres/ground/bucket-proofs.ts';
import { seconds } from '../../workflows/operation/duration.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';

/** At most this much later, a store that has failed its proof is refused, and one that was repaired is accepted. */
const fresh = seconds(2);

/** Whether an object store may take bytes, by what upkeep has found out about it. A store that is not proved yet may. */
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
    'The object store has failed its proof: it does not guarantee what uploads depend on, and no upload is taken until an operator has fixed that. Ask again with the same key.',
};
