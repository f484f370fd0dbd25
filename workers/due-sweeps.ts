import pLimit from 'p-limit';
import type { Logger } from 'pino';
import { createSweeps } from '../activities/create-sweeps.ts';
import type { Registration } from '../activities/registration.ts';
import type { Database } from '../activities/stores/postgres/database.ts';
import {
  endTrouble,
  keepReclaimed,
  keepTrouble,
  type Reclaimed,
} from '../activities/stores/postgres/sweeps/sweep-record.ts';
import { type DueSweep, dueSweeps, swept } from '../activities/stores/postgres/upkeep/due-sweeps.ts';
import type { ObjectStore } from '../activities/stores/s3/object-store.ts';

/** Things that one round sweeps, since the store has more important callers. */
const batch = 50;
/** Calls at once. */
const atOnce = 10;

const endedOperations = 'ended operations';

/** What time alone makes due, by its rows: what arrived after the end of operations, and what was given up. */
export class DueSweeps {
  readonly #database: Database;
  readonly #stores: { readonly database: Database; readonly objects: ObjectStore };
  readonly #sweeps: ReturnType<typeof createSweeps>;
  readonly #clearings: readonly NonNullable<Registration['clearing']>[];
  readonly #log: Logger;

  /**
   * @param database sees the rows of all tenants
   * @param tenants acts as a tenant's own operation would have done
   */
  constructor(
    database: Database,
    tenants: Database,
    objects: ObjectStore,
    registered: readonly Registration[],
    log: Logger,
  ) {
    this.#database = database;
    this.#stores = { database: tenants, objects };
    this.#sweeps = createSweeps(this.#stores, registered);
    this.#clearings = registered.flatMap(({ clearing }) => clearing ?? []);
    this.#log = log;
  }

  /** Sweeps all that is due. What fails is kept as a trouble, and due again in ten minutes. */
  async run(stopping: () => boolean): Promise<ReadonlyMap<string, Reclaimed>> {
    const done = new Map<string, { objects: number; bytes: number }>();
    await this.#each(done, stopping, endedOperations, dueSweeps, async (due) => await this.#sweep(due));
    for (const { name, due, clear } of this.#clearings)
      await this.#each(done, stopping, name, due, async (one) => await clear(this.#stores, one));
    return done;
  }

  async #sweep({ id, tenant, environment, flow }: DueSweep): Promise<Reclaimed> {
    const removed = (await this.#sweeps[flow]?.({ operation: id, tenant, environment })) ?? { objects: 0, bytes: 0 };
    await swept(this.#database, id);
    return removed;
  }

  async #each<Due extends { readonly id: string }>(
    done: Map<string, { objects: number; bytes: number }>,
    stopping: () => boolean,
    what: string,
    due: (database: Database, limit: number) => Promise<readonly Due[]>,
    work: (one: Due) => Promise<Reclaimed>,
  ): Promise<void> {
    const sum = { objects: 0, bytes: 0 };
    done.set(what, sum);
    for (let left = true; left && !stopping(); ) {
      const late = await due(this.#database, batch);
      const limit = pLimit(atOnce);
      const each = async (one: Due): Promise<void> => {
        try {
          const { objects, bytes } = await work(one);
          sum.objects += objects;
          sum.bytes += bytes;
          await keepReclaimed(this.#database, what, { objects, bytes });
          await endTrouble(this.#database, what, [one.id]);
          if (objects > 0) this.#log.info({ id: one.id, objects, bytes, what }, 'what was left was removed');
        } catch (err) {
          this.#log.warn({ err, id: one.id, what }, 'something could not be removed; it is tried again in ten minutes');
          await keepTrouble(this.#database, what, one.id, (err as Error).message).catch(() => undefined);
        }
      };
      await Promise.all(late.map((one) => limit(each, one)));
      left = late.length > 0;
    }
  }
}
