import { join } from 'node:path';
import { createClient } from '@redis/client';
import { freePorts } from '../../workers/local/free-port.ts';
import { type Keeper, startKeeper } from '../../workers/local/keeper.ts';
import { startRedis } from '../../workers/local/redis.ts';
import { systemBinary } from './system-binary.ts';

/** Ends what a test run leaves that was killed itself. */
let keeper: Keeper | undefined;

const connectTo = (url: string) => createClient({ url, socket: { reconnectStrategy: false } });
type Client = ReturnType<typeof connectTo>;
type Start = () => ReturnType<typeof startRedis>;

/** A real Redis of a test's own, which it may kill, freeze and empty, and whose values it may write itself. */
export class RedisServer {
  readonly url: string;
  readonly #start: Start;
  #server: Awaited<ReturnType<typeof startRedis>>;

  private constructor(start: Start, server: Awaited<ReturnType<typeof startRedis>>) {
    this.#start = start;
    this.#server = server;
    this.url = server.url;
  }

  /**
   * @param scratch where its folder and its log may lie
   * @throws where this machine has no Redis: these tests show nothing without it
   */
  static async start(scratch: string): Promise<RedisServer> {
    const binary = systemBinary('redis-server', 'redis-server');
    if (binary === undefined) throw new Error('redis-server is not installed: apt-get install redis-server');
    const [port = 0] = await freePorts(1);
    keeper ??= startKeeper();
    const directory = join(scratch, `redis-${port}`);
    const start = () => startRedis({ binary, directory, port, logFile: `${directory}.log`, keeper });
    return new RedisServer(start, await start());
  }

  async kill(): Promise<void> {
    process.kill(this.#server.pid, 'SIGKILL');
    await this.#server.ended;
  }

  /** Empty, as after a kill without anything on disk. */
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
  async ask<T>(question: (client: Client) => Promise<T>): Promise<T> {
    const client = connectTo(this.url);
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await question(client);
    } finally {
      client.destroy();
    }
  }

  async stop(): Promise<void> {
    if (this.#server.isRunning()) this.thaw();
    await this.#server.stop();
  }
}
