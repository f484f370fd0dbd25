import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import pg from 'pg';

/**
 * On one machine a connection takes milliseconds; a second means that PostgreSQL is away, unless it has answered another
 * connection meanwhile. Then the machine is busy.
 */
const connectTimeout = 1_000;
/**
 * The second is counted in this many pieces. Time in which this process itself stood still says nothing about PostgreSQL: it
 * counts as one piece, because a timer that comes late comes once.
 */
const pieces = 4;
/** In the words of `pg`: of a connection that was not there in time, and of one whose proof was not. */
const lateWords = ['timeout expired', 'Query read timeout'] as const;

/** A connection of a pool. The pool has one time limit for waiting and for connecting; here they are two. */
export class PooledConnection extends pg.Client {
  constructor(config: pg.ClientConfig) {
    super({ ...config, connectionTimeoutMillis: 0 });
    const { connection } = this as unknown as { readonly connection: EventEmitter & { readonly stream: Duplex } };
    let left = pieces;
    const timer = setInterval(() => {
      left -= 1;
      if (left === 0) connection.stream.destroy(new Error(lateWords[0]));
    }, connectTimeout / pieces);
    timer.unref();
    const connected = (): void => clearInterval(timer);
    this.once('connect', connected);
    connection.once('end', connected);
  }
}

/** Whether a connection was not there in time. */
export function isLate(error: unknown): boolean {
  return error instanceof Error && lateWords.some((words) => words === error.message);
}
