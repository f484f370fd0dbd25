import type { Writable } from 'node:stream';
import pg from 'pg';
import { EndedSessions } from './ended-sessions.ts';
import { groundFaultOf, type Proof, requireGround } from './ground/proof.ts';
import { ownSession } from './ground/own-session.ts';
import { proveConnection } from './ground/prove-connection.ts';
import { type Role, sessionOptions, silence, statementTimeout } from './ground/session.ts';
import { LedgerFault, ledgerFault, refusedConnection } from './ledger-fault.ts';
import { isLate, PooledConnection } from './pooled-connection.ts';

/** One prepared statement. The name is its identity on every connection, so PostgreSQL plans it once. */
export type Statement = {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
};

export type Row = Readonly<Record<string, unknown>>;

/** A transaction that stays open between flushes, for effects of a flow whose statements depend on each other. */
export type Transaction = {
  run(...statements: Statement[]): Promise<Row[][]>;
  /** One query as `pg` takes it, and what `pg` answers or throws. */
  query(config: pg.QueryConfig): Promise<pg.QueryResult>;
};

/** On two cores, a process rarely has more than this many transactions open at once. */
const connectionsPerProcess = 24;
/** Under load, callers wait for busy connections. That does not mean that PostgreSQL is away. */
const turnTimeout = statementTimeout;
/** Load comes in waves. The connections of the first should still be there for the second. Milliseconds. */
const idleTimeout = 30_000;

const commit: Statement = { name: '', text: 'commit', values: [] };

/**
 * PostgreSQL as the ledger sees it: short transactions, each in as few awaited flushes as it needs.
 * Statements of one flush are sent without waiting for each other's answers.
 */
export class Database {
  /** Awaited flushes since the start. Each is a round trip, and latency is made of them. */
  flushes = 0;
  /** The proofs of the newest connection; none before the first one. */
  proofs: readonly Proof[] = [];
  /** When PostgreSQL last answered, by `performance.now()`. */
  #answeredAt = Number.NEGATIVE_INFINITY;
  readonly #pool: pg.Pool;
  /** PostgreSQL's own processes behind the open connections. */
  readonly #backends = new Map<pg.ClientBase, number>();
  readonly #ended = new EndedSessions();
  /** Connections that were proved since a proof last failed. Older ones are not used twice. */
  #trusted = new WeakSet<pg.ClientBase>();

  constructor(url: string, role: Role, max = connectionsPerProcess) {
    const config: Omit<pg.PoolConfig, 'onConnect'> & { onConnect(client: pg.ClientBase): Promise<void> } = {
      connectionString: url,
      options: sessionOptions(role),
      application_name: `hapax ${role}`,
      connectionTimeoutMillis: turnTimeout,
      idleTimeoutMillis: idleTimeout,
      Client: PooledConnection as unknown as new () => pg.ClientBase,
      query_timeout: silence,
      max,
      pipeline: true,
      // The pool gives out a connection only after this has succeeded.
      onConnect: (client: pg.ClientBase) => this.#prove(client, role),
    };
    this.#pool = new pg.Pool(config as pg.PoolConfig);
    // An idle connection that PostgreSQL closes is replaced at the next use. The pool tells it by an event, which would end the
    // process if nobody listened.
    this.#pool.on('error', () => undefined);
    this.#pool.on('connect', (client) => this.#ended.watch(client));
    this.#pool.on('remove', (client) => this.#backends.delete(client));
  }

  async #prove(client: pg.ClientBase, role: Role): Promise<void> {
    const { proofs, backend } = await proveConnection(client, role);
    this.proofs = requireGround([...proofs, ownSession(backend, [...this.#backends.values()])]);
    this.#backends.set(client, backend);
    this.#trusted.add(client);
    this.#answeredAt = performance.now();
  }

  /** Opens two connections at once. Each is proved, and together they show whether they share a session. */
  async proveTwo(): Promise<readonly Proof[]> {
    const clients: pg.PoolClient[] = [];
    try {
      // One after the other, because a pooler with two sessions would give each of two simultaneous ones its own.
      for (let n = 0; n < Math.min(2, this.#pool.options.max); n += 1) clients.push(await this.#connect());
      return this.proofs;
    } finally {
      for (const client of clients) client.release(!this.#trusted.has(client));
    }
  }

  /** Tries on for as long as a turn may take, while PostgreSQL answers others and only a new connection comes late. */
  async #connect(until = performance.now() + turnTimeout): Promise<pg.PoolClient> {
    const begun = performance.now();
    return await this.#pool.connect().catch(async (error: unknown) => {
      if (isLate(error) && this.#answeredAt > begun && performance.now() < until) return await this.#connect(until);
      const fault = refusedConnection(error);
      const found = groundFaultOf(fault);
      if (found !== undefined) {
        this.proofs = found.proofs;
        this.#trusted = new WeakSet();
      }
      throw fault;
    });
  }

  /**
   * Runs statements as one transaction in one awaited flush.
   * @returns the rows of each statement, in order
   * @throws LedgerFault; nothing was committed, unless its code is `unavailable`: then nobody knows
   */
  async flush(tenant: string | null, ...statements: Statement[]): Promise<Row[][]> {
    return await this.#session(async (send) => {
      const rows = await send([begin(tenant), ...statements, commit]);
      return rows.slice(1, -1);
    });
  }

  /**
   * Runs one statement that is its own transaction and sets its tenant itself: one message instead of three.
   * @throws LedgerFault as `flush` does
   */
  async alone(statement: Statement): Promise<Row[]> {
    return await this.#session(async (send) => (await send([statement]))[0] ?? []);
  }

  /** Runs `work` inside a transaction that `opening` begins and whose `closing` statements ride with the commit. */
  async transaction<T>(
    tenant: string,
    opening: readonly Statement[],
    work: (tx: Transaction, opened: Row[][]) => Promise<{ value: T; closing: readonly Statement[] }>,
  ): Promise<T> {
    return await this.#session(async (send, client) => {
      const opened = await send([begin(tenant), ...opening]);
      const tx: Transaction = {
        run: (...statements) => send(statements),
        query: (config) =>
          client.query(config).catch((error: unknown) => {
            throw this.#ended.causeOf(client, error);
          }),
      };
      const { value, closing } = await work(tx, opened.slice(1));
      await send([...closing, commit]);
      return value;
    });
  }

  async #session<T>(
    work: (send: (statements: readonly Statement[]) => Promise<Row[][]>, client: pg.PoolClient) => Promise<T>,
  ): Promise<T> {
    const client = await this.#connect();
    let broken: Error | undefined;
    try {
      return await work(async (statements) => {
        this.flushes += 1;
        const answers = inOneWrite(client, () => statements.map((statement) => query(client, statement)));
        const sent = await Promise.allSettled(answers);
        const failed = sent.find((one) => one.status === 'rejected');
        if (failed !== undefined) throw ledgerFault(this.#ended.causeOf(client, failed.reason));
        this.#answeredAt = performance.now();
        return sent.map((one) => (one.status === 'fulfilled' ? one.value : []));
      }, client);
    } catch (error) {
      if (error instanceof LedgerFault && error.code === 'unavailable') broken = error;
      else
        await client.query('rollback').catch((fault: Error) => {
          broken = fault;
        });
      throw error;
    } finally {
      client.release(broken ?? !this.#trusted.has(client));
    }
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

/** Two commands of PostgreSQL's simple protocol, which takes no parameters, in one message. */
function begin(tenant: string | null): Statement {
  // A NUL ends a text on the wire. A `begin` that is cut there would fail, and what follows would not be a
  // transaction.
  if (tenant?.includes('\0')) throw new TypeError('The name of a tenant holds a NUL character');
  const tenantsOwn = tenant === null ? '' : `; set local hapax.tenant = ${pg.escapeLiteral(tenant)}`;
  return { name: '', text: `begin${tenantsOwn}`, values: [] };
}

/** Statements leave in one write to the socket instead of five each: a tenth of a worker's time. */
function inOneWrite<T>(client: pg.PoolClient, send: () => T): T {
  const { stream } = (client as unknown as { connection: { stream: Writable } }).connection;
  stream.cork();
  try {
    return send();
  } finally {
    stream.uncork();
  }
}

async function query(client: pg.PoolClient, statement: Statement): Promise<Row[]> {
  const { name, text, values } = statement;
  const result =
    name === '' ? await client.query<Row>(text) : await client.query<Row>({ name, text, values: [...values] });
  // PostgreSQL answers ROLLBACK to the COMMIT of a transaction in which a statement has failed, and calls that no error.
  if (statement === commit && result.command !== 'COMMIT')
    throw new LedgerFault('broken', 'A statement of this transaction had failed: PostgreSQL rolled it back');
  return result.rows;
}
