import { setTimeout as pause } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { seconds } from '../../../workflows/operation/duration.ts';
import { connectNats } from './connect-nats.ts';

/** A broker that does not answer for so long is away. */
const answersWithin = seconds(2);

/** A connection that is asked for until it is there, and again after each loss. */
export class BrokerConnection {
  readonly #opened: Promise<void>;
  #connection: NatsConnection | undefined;
  #fault = 'The broker does not answer: check its address.';
  #closed = false;

  constructor(url: string, options: { readonly name: string; readonly credentials: string | undefined }) {
    this.#opened = connectNats(url, { ...options, persists: true }).then(
      (connection) => void this.#watch(connection),
      (error: unknown) => {
        this.#fault = `The broker refuses the connection: ${(error as Error).message}`;
      },
    );
  }

  /** @throws where the broker does not answer now */
  async use(): Promise<NatsConnection> {
    if (this.#connection === undefined) await this.#opening();
    if (this.#connection === undefined || this.#fault !== '') throw new Error(this.#fault);
    return this.#connection;
  }

  /** Sends what is to be sent first. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#fault === '') await this.#connection?.flush().catch(() => undefined);
    await this.#connection?.close();
  }

  async #opening(): Promise<void> {
    const over = new AbortController();
    const late = pause(answersWithin, undefined, { signal: over.signal }).catch(() => undefined);
    await Promise.race([this.#opened, late]);
    over.abort();
  }

  async #watch(connection: NatsConnection): Promise<void> {
    if (this.#closed) return await connection.close();
    this.#connection = connection;
    this.#fault = '';
    for await (const { type } of connection.status()) {
      if (type === 'disconnect') this.#fault = 'The connection to the broker is lost.';
      if (type === 'reconnect') this.#fault = '';
    }
  }
}
