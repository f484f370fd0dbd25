import type { Database } from '../../activities/stores/postgres/database.ts';
import { readOperation } from '../../activities/stores/postgres/ledger/read-operation.ts';
import type { SettledState } from '../../workflows/operation/state.ts';
import type { KeptAnswer } from './reply.ts';
import type { SettledNews } from './settled-news.ts';

export type Outcome = {
  readonly state: SettledState;
  readonly answer: KeptAnswer;
  /** The same key will name a new generation: not an answer to remember. */
  readonly renewable: boolean;
};

/** News may be lost while its connection is away: one look a second for each awaited operation stands in for it. */
const lookInterval = 1_000;

type Awaited = {
  readonly promise: Promise<Outcome>;
  /** Those who want to know when the operation waits for something from outside. */
  readonly turns: (() => void)[];
  waiters: number;
  stop(): void;
};

/** Waits for operations to settle, once for each operation whatever the number of callers. */
export class Outcomes {
  readonly #database: Database;
  readonly #news: SettledNews;
  readonly #awaited = new Map<string, Awaited>();

  constructor(database: Database, news: SettledNews) {
    this.#database = database;
    this.#news = news;
  }

  /**
   * @param wait milliseconds at most
   * @param look whether the operation may have settled before this call, so that its news has passed
   * @param turn whether to return when the operation begins to wait for something from outside: it may be the asker's turn
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
