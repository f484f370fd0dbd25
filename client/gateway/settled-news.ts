import pg from 'pg';
import { z } from 'zod';
import type { StoredAnswer } from '../../activities/stores/postgres/stored-answer.ts';
import { type SettledState, settledStates } from '../../workflows/operation/state.ts';

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
  readonly #channel: () => Promise<string>;
  readonly #waiting = new Map<string, Set<(news: Settled) => void>>();
  readonly #hearers: ((news: Pick<Settled, 'id' | 'tenant'>) => void)[] = [];
  #client: pg.Client | undefined;
  #listening = false;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(url: string, channel: () => Promise<string>) {
    this.#url = url;
    this.#channel = channel;
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
    await client.query(`listen ${client.escapeIdentifier(await this.#channel())}`);
    this.#listening = true;
  }

  /** Calls back for each operation that settles. @returns whether all of them are heard now */
  hear(callback: (news: Pick<Settled, 'id' | 'tenant'>) => void): () => boolean {
    this.#hearers.push(callback);
    return () => this.#listening;
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
    const said = json(payload);
    const { data: named } = hint.safeParse(said);
    if (named !== undefined) for (const hear of this.#hearers) hear(named);
    const callbacks = named && this.#waiting.get(named.id);
    if (named === undefined || callbacks === undefined) return;
    this.#waiting.delete(named.id);
    const news = readNews(named, said);
    for (const callback of callbacks) callback(news);
  }

  /** One loss tells us twice (`error`, then `end`), and so does each failed try: only the current client's first counts. */
  #again(client: pg.Client): void {
    if (this.#closed || this.#client !== client) return;
    this.#client = undefined;
    this.#listening = false;
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

/** Written by another build, perhaps: what it does not say in full is only a hint to look at the row. */
const full = z.object({
  state: z.enum(settledStates),
  renewable: z.boolean(),
  status: z.int(),
  headers: z.record(z.string(), z.string()),
  // Base64, with the line ends that PostgreSQL's encode puts in.
  body: z.string(),
  expiresAt: z.coerce.date(),
  flowVersion: z.int(),
});
const hint = z.object({ id: z.string(), tenant: z.string() });

function readNews(named: Settled, said: unknown): Settled {
  const answer = full.safeParse(said);
  if (!answer.success) return named;
  const { state, renewable, body, ...kept } = answer.data;
  const expiresIn = kept.expiresAt.getTime() - Date.now();
  return {
    ...named,
    settled: { state, renewable, answer: { kind: 'kept', ...kept, body: Buffer.from(body, 'base64'), expiresIn } },
  };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
