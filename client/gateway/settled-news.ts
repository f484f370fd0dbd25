import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { z } from 'zod';
import type { Proof } from '../../activities/stores/postgres/ground/proof.ts';
import { connectListener } from '../../activities/stores/postgres/listener.ts';
import type { StoredAnswer } from '../../activities/stores/postgres/ledger/stored-answer.ts';
import { type SettledState, settledStates } from '../../workflows/operation/state.ts';

/** An operation has settled. A small answer travels with the news; a large one is read from the ledger. */
type Settled = {
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

/** A NOTIFY comes within a millisecond or two; a start waits no longer than this for one. */
const probeWithin = 500;

type NewsParts = {
  readonly url: string;
  readonly channel: () => Promise<string>;
  /** Sends a token on the channel over another connection, so that it is seen whether news arrive. */
  readonly probe: (channel: string, token: string) => Promise<void>;
};

/**
 * Hears from PostgreSQL which operations have settled, over one connection for the whole process. News may be missed
 * while the connection is away: it only saves waiting, and whoever waits looks at the row as well.
 */
export class SettledNews {
  readonly #parts: NewsParts;
  readonly #waiting = new Map<string, Set<(news: Settled) => void>>();
  readonly #hearers: ((news: Pick<Settled, 'id' | 'tenant'>) => void)[] = [];
  #client: pg.Client | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;
  #heard = false;

  constructor(parts: NewsParts) {
    this.#parts = parts;
  }

  /** Whether news arrive, as the last probe has shown. */
  get proof(): Proof {
    if (this.#heard) return { name: 'notify', state: 'holds', says: 'A NOTIFY arrives where it is listened to.' };
    return {
      name: 'notify',
      state: 'degraded',
      says: 'A NOTIFY does not arrive, as through a pooler in transaction mode: whoever waits learns of an end by a look each second. Connect directly, or set pool_mode = session.',
    };
  }

  async listen(): Promise<void> {
    this.#heard = false;
    const client = await connectListener(this.#parts.url, (fresh) => {
      this.#client = fresh;
      fresh.on('error', () => this.#again(fresh));
      fresh.on('end', () => this.#again(fresh));
    });
    const channel = await this.#parts.channel();
    const token = randomUUID();
    const heard = new Promise<void>((resolve) => {
      client.on('notification', ({ payload }) => {
        if (payload === undefined) return;
        if (payload === token) {
          this.#heard = this.#client === client;
          resolve();
        } else this.#tell(payload);
      });
    });
    await client.query(`listen ${client.escapeIdentifier(channel)}`);
    await this.#parts.probe(channel, token);
    await Promise.race([heard, new Promise((resolve) => setTimeout(resolve, probeWithin).unref())]);
  }

  /** Calls back for each operation that settles. @returns whether all of them are heard now */
  hear(callback: (news: Pick<Settled, 'id' | 'tenant'>) => void): () => boolean {
    this.#hearers.push(callback);
    return () => this.#heard;
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
    this.#heard = false;
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
