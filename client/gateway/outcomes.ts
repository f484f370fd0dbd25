import type { Database } from '../../activities/stores/postgres/database.ts';
import { readOperation } from '../../activities/stores/postgres/ledger/read-operation.ts';
import type { SettledState } from '../../workflows/operation/state.ts';
import type { KeptAnswer } from './reply.ts';
import type { SettledNews } from './settled-news.ts';

export type Outcome = {
  readonly state: SettledState;
  readonly answer: KeptAnswer;
  /** The same key will begin a new generation, so this answer must not be remembered. */
  readonly renewable: boolean;
};

/**
 * News may be lost while its connection is down. One read a second for each awaited operation makes up for that.
 * Milliseconds.
 */
const lookInterval = 1_000;

type Awaited = {
  readonly promise: Promise<Outcome>;
  /** Callbacks for when the operation begins to wait for something from outside. */
  readonly turns: (() => void)[];
  waiters: number;
  stop(): void;
};

/** Waits for operations to settle. Each operation is awaited once, however many callers wait for it. */
export class Outcomes {
  readonly #database: Database;
  readonly #news: SettledNews;
  readonly #awaited = new Map<string, Awaited>();

  constructor(database: Database, news: SettledNews) {
    this.#database = database;
    this.#news = news;
  }

  /**
   * Waits until the operation settles.
   * @param wait at most, in milliseconds
   * @param look whether the operation may have settled before this call, so that its news has already passed
   * @param turn whether to return as soon as the operation waits for something from outside: the caller may have to act
   * @returns undefined when it has not settled in time
   */
  async settled(tenant: string, id: string, wait: number, look: boolean, turn = false): Promise<Outcome | undefined> {
    const awaited = this.#awaited.get(id) ?? this.#listen(tenant, id, look);
    awaited.waiters += 1;
    let timer: NodeJS.Timeout | undefined;
    try {
      const timeout = new Promise<undefined>((resolve) => {
        timer = setTimeout(() => resolve(undefined), wait);
        if (turn) awaited.turns.push(() => resolve(undefined));
      });
      return await Promise.race([awaited.promise, timeout]);
    } finally {
      clearTimeout(timer);
      awaited.waiters -= 1;
      if (awaited.waiters === 0) awaited.stop();
    }
  }

  #listen(tenant: string, id: string, look: boolean) {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const turns: (() => void)[] = [];
    const read = async (): Promise<void> => {
      const row = await readOperation(this.#database, tenant, id).catch(() => undefined);
      if (row !== undefined && row.settledAt !== null && row.answer.kind === 'kept')
        resolve({ state: row.state, answer: row.answer, renewable: row.renewable });
      if (row?.state === 'waiting') for (const tell of turns.splice(0)) tell();
    };
    const unhear = this.#news.await(id, ({ settled, ...news }) => {
      if (settled === undefined || news.tenant !== tenant) void read();
      else resolve(settled);
    });
    const timer = setInterval(() => void read(), lookInterval);
    const stop = (): void => {
      clearInterval(timer);
      unhear();
      this.#awaited.delete(id);
    };
    void promise.then(stop);
    const awaited = { promise, turns, waiters: 0, stop };
    this.#awaited.set(id, awaited);
    if (look) void read();
    return awaited;
  }
}
