import type pg from 'pg';
import { LedgerFault } from '../ledger-fault.ts';
import { expectRowStatement } from './expect-row-statement.ts';

/**
 * A `pg` client for one step: `drizzle(tx)`, or `new PostgresDialect({ pool: tx })` for kysely, which wants a pool and
 * is given this one client. It has the type that query builders ask for. Of its members, those of a pool work, and
 * `query` in the forms that return a promise.
 */
export type RowClient = pg.PoolClient & { connect(): Promise<RowClient>; readonly options: object };

type Send = (config: pg.QueryConfig) => Promise<pg.QueryResult>;

/** What the ledger needs to know of the queries. */
export class StepQueries {
  readonly options = {};
  readonly #send: Send;
  #state: 'open' | 'ending' | 'ended' = 'open';
  #underWay = 0;
  #unawaited = false;
  #failure: Error | undefined;

  constructor(send: Send) {
    this.#send = send;
  }

  get client(): RowClient {
    return this as unknown as RowClient;
  }

  /** The first query that failed. PostgreSQL does nothing more in this transaction, even if the error was caught. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  query(asked: string | pg.QueryConfig, values?: unknown, callback?: unknown): Promise<pg.QueryResult> {
    if (typeof (callback ?? values) === 'function') {
      this.#failure ??= new LedgerFault('broken', 'A row step awaits its queries: leave the callback out.');
      throw this.#failure;
    }
    return this.#awaited(asked, values);
  }

  async #awaited(asked: string | pg.QueryConfig, values: unknown): Promise<pg.QueryResult> {
    if (this.#state === 'ended') throw new LedgerFault('broken', 'The transaction of this row step has ended.');
    if (this.#state === 'ending') this.#unawaited = true;
    this.#underWay += 1;
    try {
      return await this.#send(plainQuery(asked, values));
    } catch (error) {
      this.#failure ??= error as Error;
      throw error;
    } finally {
      this.#underWay -= 1;
    }
  }

  async connect(): Promise<RowClient> {
    return this.client;
  }

  release(): void {}

  async end(): Promise<void> {}

  /** Call when the step's code has returned, so that queries that it did not await are found. */
  ending(): void {
    this.#state = 'ending';
    if (this.#underWay > 0) this.#unawaited = true;
  }

  /** @throws LedgerFault `broken` where a query was not awaited */
  expectAwaited(): void {
    if (this.#unawaited)
      throw new LedgerFault('broken', 'A query of this row step was not awaited before its code returned.');
  }

  ended(): void {
    this.#state = 'ended';
  }
}

/**
 * Always by the extended protocol, in which PostgreSQL takes one statement at a time. A name is left out: the connection is
 * the ledger's, and two statements of one name would break it.
 */
function plainQuery(asked: string | pg.QueryConfig, given: unknown): pg.QueryConfig {
  const config = typeof asked === 'string' ? { text: asked } : asked;
  if ('submit' in config || 'rows' in config || 'portal' in config)
    throw new LedgerFault('broken', 'A row step has no cursors and no streams: select the rows that it needs.');
  const { text, types, rowMode } = config as pg.QueryArrayConfig;
  const values: unknown = given ?? config.values ?? [];
  // This error of pg's own would look as if PostgreSQL were away.
  if (typeof text !== 'string' || !Array.isArray(values))
    throw new LedgerFault(
      'broken',
      'A query of a row step is a text and, where it has parameters, an array of values.',
    );
  expectRowStatement(text);
  const extended: pg.QueryConfig & { queryMode: string; rowMode?: string } = {
    text,
    values,
    queryMode: 'extended',
    ...(types === undefined ? {} : { types }),
    ...(rowMode === undefined ? {} : { rowMode }),
  };
  return extended;
}
