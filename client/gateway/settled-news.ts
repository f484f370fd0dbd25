import pg from 'pg';
import { settledChannel } from '../../activities/stores/postgres/settle.ts';
import type { StoredAnswer } from '../../activities/stores/postgres/stored-answer.ts';
import type { SettledState } from '../../workflows/operation/state.ts';

/** An operation has settled. A small answer travels with the news; a large one is read from the ledger. */
export type Settled = {
  readonly id: string;
  readonly tenant: string;
  readonly settled?: {
    readonly state: SettledState;
    readonly renewable: boolean;
    readonly answer: Extract<StoredAnswer, { kind: 'kept' }>;
  };
};

/** PostgreSQL restarts in a second or two; until then a waiter's own look at the row stands in. */
const reconnectAfter = 500;

/**
 * Hears from PostgreSQL which operations have settled, over one connection for the whole process. News may be missed
 * while the connection is away: it only saves waiting, and whoever waits looks at the row as well.
 */
export class SettledNews {
  readonly #url: string;
  readonly #waiting = new Map<string, Set<(news: Settled) => void>>();
  #client: pg.Client | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(url: string) {
    this.#url = url;
  }

  async listen(): Promise<void> {
    const client = new pg.Client({ connectionString: this.#url, application_name: 'hapax news', keepAlive: true });
    this.#client = client;
    client.on('error', () => this.#again(client));
    client.on('end', () => this.#again(client));
    client.on('notification', ({ payload }) => {
      if (payload !== undefined) this.#tell(payload);
    });
    await client.connect();
    await client.query(`listen ${settledChannel}`);
  }

  /** Calls back once when the operation settles. @returns how to stop waiting */
  await(id: string, callback: (news: Settled) => void): () => void {
    const callbacks = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, callbacks.add(callback));
    return () => {
      callbacks.delete(callback);
      if (callbacks.size === 0 && this.#waiting.get(id) === callbacks) this.#waiting.delete(id);
    };
  }

  #tell(payload: string): void {
    const news = parse(payload);
    const callbacks = this.#waiting.get(news.id);
    if (callbacks === undefined) return;
    this.#waiting.delete(news.id);
    for (const callback of callbacks) callback(news);
  }

  /** One loss tells us twice (`error`, then `end`), and so does each failed try: only the current client's first counts. */
  #again(client: pg.Client): void {
    if (this.#closed || this.#client !== client) return;
    this.#client = undefined;
    client.end().catch(() => undefined);
    this.#retry = setTimeout(() => {
      this.listen().catch(() => this.#client && this.#again(this.#client));
    }, reconnectAfter).unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    await this.#client?.end().catch(() => undefined);
  }
}

function parse(payload: string): Settled {
  const { id, tenant, state, renewable, status, headers, body, expiresAt, flowVersion } = JSON.parse(payload) as {
    id: string;
    tenant: string;
    state?: SettledState;
    renewable: boolean;
    status: number;
    headers: Record<string, string>;
    body: string;
    expiresAt: string;
    flowVersion: number;
  };
  if (state === undefined) return { id, tenant };
  const expires = new Date(expiresAt);
  return {
    id,
    tenant,
    settled: {
      state,
      renewable,
      answer: {
        kind: 'kept',
        status,
        headers,
        body: Buffer.from(body, 'base64'),
        expiresAt: expires,
        expiresIn: expires.getTime() - Date.now(),
        flowVersion,
      },
    },
  };
}
