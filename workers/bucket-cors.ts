import type { Logger } from 'pino';
import { allowOrigins } from '../activities/stores/s3/allow-origins.ts';
import type { ObjectStore } from '../activities/stores/s3/object-store.ts';
import type { Check } from '../client/http/health/readiness.ts';
import { minutes } from '../workflows/operation/duration.ts';

/** A store that is away, or whose policy is being mended, is asked again. */
const again = minutes(1);

/** Lets pages of other origins send bytes straight to the object store, from the start of the HTTP API on. */
export class BucketCors {
  readonly #store: ObjectStore;
  readonly #origins: readonly string[];
  readonly #log: Logger;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;
  #check: Check | undefined;

  constructor(store: ObjectStore, origins: readonly string[], log: Logger) {
    this.#store = store;
    this.#origins = origins;
    this.#log = log;
  }

  /** Never throws: uploads through this API need no such rule. */
  async set(): Promise<void> {
    if (this.#origins.length === 0) return;
    const where = `the bucket ${this.#store.bucket}`;
    try {
      const changed = await allowOrigins(this.#store, this.#origins);
      if (changed) this.#log.info(`${where} now takes signed uploads from pages of ${this.#origins.join(', ')}`);
      this.#check = {
        name: 'bucket-cors',
        state: 'holds',
        says: `${where} takes signed uploads from pages of other origins.`,
      };
    } catch (err) {
      if (this.#check === undefined)
        this.#log.warn(
          { err },
          `${where} does not let us set its CORS rules: pages cannot send bytes straight to it. Allow PUT from ${this.#origins.join(', ')} with all headers, and expose ETag (docs/uploads.md).`,
        );
      this.#check = {
        name: 'bucket-cors',
        state: 'degraded',
        says: `the CORS rules of ${where} could not be set: pages cannot send bytes straight to it.`,
      };
      if (!this.#closed) this.#retry = setTimeout(() => void this.set(), again).unref();
    }
  }

  get checks(): readonly Check[] {
    return this.#check === undefined ? [] : [this.#check];
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
  }
}
