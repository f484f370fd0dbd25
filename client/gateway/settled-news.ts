import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { z } from 'zod';
import type { Proof } from '../../activities/stores/postgres/ground/proof.ts';
import { connectListener } from '../../activities/stores/postgres/listener.ts';
import type { StoredAnswer } from '../../activities/stores/postgres/ledger/stored-answer.ts';
import { type SettledState, settledStates } from '../../workflows/operation/state.ts';

/** The news that an operation has settled. A small answer travels with it; a large one is read from the ledger. */
type Settled = {
  readonly id: string;
  readonly tenant: string;
  readonly settled?: {
    readonly state: SettledState;
    readonly renewable: boolean;
    readonly answer: Extract<StoredAnswer, { kind: 'kept' }>;
  };
};

/** PostgreSQL restarts in a second or two. Until then each waiter reads the row itself. Milliseconds. */
const reconnectAfter = 500;

/** A connection that dies silently, without an error, is noticed at the second of these looks. Milliseconds. */
const lookEvery = 1_000;

/** A NOTIFY arrives within a millisecond or two. A start waits at most this long for one. Milliseconds. */
const probeWithin = 500;

type NewsParts = {
  readonly url: string;
  readonly channel: () => Promise<string>;
  /** Sends a token on the channel over another connection, to check that notifications arrive. */
  readonly probe: (channel: string, token: string) => Promise<void>;
};

/**
 * Listens to PostgreSQL for operations that have settled, over one connection for the whole process. News may be missed
 * while that connection is down. It only saves waiting: every waiter also reads the row.
 */
export class SettledNews {
  readonly #parts: NewsParts;
  readonly #waiting = new Map<string, Set<(news: Settled) => void>>();
  readonly #hearers: ((news: Pick<Settled, 'id' | 'tenant'>) => void)[] = [];
  readonly #told: (() => void)[] = [];
  readonly #erased: ((operations: readonly string[] | undefined) => void)[] = [];
  #client: pg.Client | undefined;
  #retry: NodeJS.Timeout | undefined;
  #look: NodeJS.Timeout | undefined;
  #closed = false;
  #heard = false;

  constructor(parts: NewsParts) {
    this.#parts = parts;
  }

  /** Whether news arrives, by the last probe. */
  get proof(): Proof {
    if (this.#heard) return { name: 'notify', state: 'holds', says: 'A NOTIFY reaches its listener.' };
    return {
      name: 'notify',
      state: 'degraded',
      says: 'A NOTIFY does not arrive, probably because of a pooler in transaction mode: waiting requests read the ledger once a second instead. Connect directly, or set pool_mode = session.',
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
    if (this.#client === client) this.#watch(client);
  }

  /**
   * Calls back for each operation that settles.
   * @returns a function that says whether all of them are heard now
   */
  hear(callback: (news: Pick<Settled, 'id' | 'tenant'>) => void): () => boolean {
    this.#hearers.push(callback);
    return () => this.#heard;
  }

  /** Calls back when another system has told us something, and its event has to be handled. */
  hearEvents(callback: () => void): void {
    this.#told.push(callback);
  }

  /**
   * Calls back with the operations whose answers were erased, or with undefined when the connection was lost: then such
   * news may be missed.
   * @returns a function that says whether such news is heard now
   */
  hearErased(callback: (operations: readonly string[] | undefined) => void): () => boolean {
    this.#erased.push(callback);
    return () => this.#heard;
  }

  /**
   * Calls back once, when the operation settles.
   * @returns a function that stops waiting
   */
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
    if (isEvent(said)) for (const hear of this.#told) hear();
    const { data: erasure } = erasing.safeParse(said);
    if (erasure !== undefined) for (const forget of this.#erased) forget(erasure.erased);
    const { data: named } = hint.safeParse(said);
    if (named !== undefined) for (const hear of this.#hearers) hear(named);
    const callbacks = named && this.#waiting.get(named.id);
    if (named === undefined || callbacks === undefined) return;
    this.#waiting.delete(named.id);
    const news = readNews(named, said);
    for (const callback of callbacks) callback(news);
  }

  /**
   * A lost connection is reported twice (`error`, then `end`), and so is each failed try. Only the first report about
   * the current client counts.
   */
  #again(client: pg.Client): void {
    if (this.#closed || this.#client !== client) return;
    this.#client = undefined;
    this.#heard = false;
    clearInterval(this.#look);
    for (const forget of this.#erased) forget(undefined);
    client.end().catch(() => undefined);
    this.#retry = setTimeout(() => {
      this.listen().catch(() => this.#client && this.#again(this.#client));
    }, reconnectAfter).unref();
  }

  /** A network that swallows everything reports no error. News that is under way arrives before the answer to a look. */
  #watch(client: pg.Client): void {
    let unanswered = false;
    this.#look = setInterval(() => {
      if (unanswered) return this.#again(client);
      unanswered = true;
      client.query('select').then(
        () => {
          unanswered = false;
        },
        () => this.#again(client),
      );
    }, lookEvery).unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearInterval(this.#look);
    await this.#client?.end().catch(() => undefined);
  }
}

/** Another build may have written it. An incomplete payload is only a hint to read the row. */
const full = z.object({
  state: z.enum(settledStates),
  renewable: z.boolean(),
  status: z.int(),
  headers: z.record(z.string(), z.string()),
  // Base64, with the line breaks that PostgreSQL's encode inserts.
  body: z.string(),
  expiresAt: z.coerce.date(),
  flowVersion: z.int(),
});
const hint = z.object({ id: z.string(), tenant: z.string() });
const erasing = z.object({ erased: z.array(z.string()) });

function isEvent(said: unknown): boolean {
  return typeof said === 'object' && said !== null && 'event' in said;
}

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
