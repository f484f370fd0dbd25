import type pg from 'pg';
import { hasSqlState } from './ledger-fault.ts';

/**
 * Why PostgreSQL ended a session. It says so at once, also where no statement waits for an answer. The next statement then fails with
 * an error of pg's own, which knows only that the connection is gone.
 */
export class EndedSessions {
  readonly #why = new WeakMap<pg.ClientBase, Error>();

  /** Listens to a new connection. An error event without a listener would end the process. */
  watch(client: pg.ClientBase): void {
    client.on('error', (error) => {
      if (!this.#why.has(client)) this.#why.set(client, error);
    });
  }

  /** @returns what PostgreSQL said, where `error` does not say it */
  causeOf(client: pg.ClientBase, error: unknown): unknown {
    return hasSqlState(error) ? error : (this.#why.get(client) ?? error);
  }
}
