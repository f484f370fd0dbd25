import type { Database } from '../../activities/stores/postgres/database.ts';
import { readVersions } from '../../activities/stores/postgres/ledger/read-versions.ts';
import { seconds } from '../../workflows/operation/duration.ts';
import type { SettledNews } from './settled-news.ts';

/**
 * News comes only when an operation ends or begins to wait, and may be lost with its connection. A look a second shows
 * the steps in between as a person can follow them. It is one statement for all that a tenant watches: a thousand
 * operations take some milliseconds. Milliseconds.
 */
const usualInterval = seconds(1);

/** Called with each version that a look has found; undefined when the operation is not there. */
type Tell = (version: number | undefined) => void;
type Watched = { readonly tenant: string; readonly tells: Set<Tell> };

type ChangesParts = {
  readonly read: (tenant: string, ids: readonly string[]) => Promise<ReadonlyMap<string, number>>;
  readonly news: Pick<SettledNews, 'hear'>;
  /** Between two looks. Milliseconds. */
  readonly interval?: number;
};

/** Tells who watches an operation that it has changed. Nobody holds a connection to PostgreSQL meanwhile. */
export class OperationChanges {
  readonly #parts: ChangesParts;
  readonly #watched = new Map<string, Watched>();
  /** Those of which there is news. */
  readonly #due = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #looking = false;

  constructor(parts: ChangesParts) {
    this.#parts = parts;
    parts.news.hear(({ id }) => {
      if (!this.#watched.has(id)) return;
      this.#due.add(id);
      // Operations that end together are read together.
      if (this.#due.size === 1) setImmediate(() => void this.#lookAtDue());
    });
  }

  static of(database: Database, news: SettledNews): OperationChanges {
    return new OperationChanges({ news, read: (tenant, ids) => readVersions(database, tenant, ids) });
  }

  /** The version of one operation now; undefined when the tenant has no such operation. */
  async version(tenant: string, id: string): Promise<number | undefined> {
    return (await this.#parts.read(tenant, [id])).get(id);
  }

  /**
   * Calls back with the operation's version, again and again.
   * @returns a function that ends it
   */
  watch(tenant: string, id: string, tell: Tell): () => void {
    const watched = this.#watched.get(id) ?? { tenant, tells: new Set() };
    this.#watched.set(id, watched);
    watched.tells.add(tell);
    this.#timer ??= setInterval(() => void this.#lookAtAll(), this.#parts.interval ?? usualInterval);
    return () => {
      watched.tells.delete(tell);
      if (watched.tells.size === 0 && this.#watched.get(id) === watched) this.#watched.delete(id);
      if (this.#watched.size === 0) this.close();
    };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #lookAtDue(): Promise<void> {
    const ids = [...this.#due];
    this.#due.clear();
    await this.#look(ids);
  }

  /** A ledger that is slow gets no second look before it has answered the first. */
  async #lookAtAll(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    await this.#look([...this.#watched.keys()]);
    this.#looking = false;
  }

  async #look(ids: readonly string[]): Promise<void> {
    const byTenant = Map.groupBy(ids, (id) => this.#watched.get(id)?.tenant);
    await Promise.all(
      [...byTenant].map(async ([tenant, own]) => {
        if (tenant === undefined) return;
        // If the ledger is away, the next look tells.
        const versions = await this.#parts.read(tenant, own).catch(() => undefined);
        if (versions === undefined) return;
        for (const id of own) for (const tell of this.#watched.get(id)?.tells ?? []) tell(versions.get(id));
      }),
    );
  }
}
