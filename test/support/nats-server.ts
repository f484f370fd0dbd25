import { join } from 'node:path';
import { type NatsConnection, connect } from '@nats-io/transport-node';
import { freePorts } from '../../workers/local/free-port.ts';
import { type Keeper, startKeeper } from '../../workers/local/keeper.ts';
import { startNats } from '../../workers/local/nats.ts';

/** Ends what a test run leaves that was killed itself. */
let keeper: Keeper | undefined;

type Start = () => ReturnType<typeof startNats>;

/** A real broker of a test's own with JetStream, which it may kill, freeze, and start again on the same store. */
export class NatsServer {
  readonly url: string;
  readonly #start: Start;
  #server: Awaited<ReturnType<typeof startNats>>;

  private constructor(start: Start, server: Awaited<ReturnType<typeof startNats>>) {
    this.#start = start;
    this.#server = server;
    this.url = server.url;
  }

  /**
   * @param binary the program, which the ground of a test run has
   * @param scratch where its folder and its log may lie
   */
  static async start(binary: string, scratch: string): Promise<NatsServer> {
    const [port = 0] = await freePorts(1);
    keeper ??= startKeeper();
    const directory = join(scratch, `nats-${port}`);
    const start = () => startNats({ binary, directory, port, logFile: `${directory}.log`, keeper });
    return new NatsServer(start, await start());
  }

  async kill(): Promise<void> {
    process.kill(this.#server.pid, 'SIGKILL');
    await this.#server.ended;
  }

  /** On the same store, and at the same address. */
  async startAgain(): Promise<void> {
    this.#server = await this.#start();
  }

  freeze(): void {
    process.kill(this.#server.pid, 'SIGSTOP');
  }

  thaw(): void {
    process.kill(this.#server.pid, 'SIGCONT');
  }

  /** Asks it over a connection that nobody else uses. */
  async ask<T>(question: (connection: NatsConnection) => Promise<T>): Promise<T> {
    const connection = await connect({ servers: this.url, reconnect: false });
    try {
      return await question(connection);
    } finally {
      await connection.close();
    }
  }

  async stop(): Promise<void> {
    if (this.#server.isRunning()) this.thaw();
    await this.#server.stop();
  }
}
