import { once } from 'node:events';
import { createClient } from '@redis/client';
import { circuitBreaker, ConsecutiveBreaker, handleAll, type IPolicy, timeout, TimeoutStrategy, wrap } from 'cockatiel';
import { seconds } from '../../../workflows/operation/duration.ts';
import { isRedisAddress, redisAddress } from './redis-address.ts';

/** Redis gave no answer in time, or was not asked because it gave none before. */
class RedisAway extends Error {
  override readonly name = 'RedisAway';
}

type RedisOptions = {
  /** How long one question may take. Milliseconds. */
  readonly within: number;
  /** Told once when Redis cannot be reached, and once when it is back. */
  readonly log: (message: string, error?: unknown) => void;
};

/** One miss may be a pause of ours. Five in a row cost a caller a tenth of a second at 20 ms each. */
const missesInRow = 5;
/** A restart of Redis takes a second or two. One question then tries it. */
const leftAlone = seconds(1);
const connectTimeout = seconds(1);
/** Pauses between tries to connect grow to this. Milliseconds. */
const longestPause = seconds(2);
/** What is asked of a frozen server waits in memory, so that it is bounded. */
const mostQueued = 1_000;

/** Changes a value only while it is still what the asker knows: another may have taken it over. */
const swap = `
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('set', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`;
const remove = `
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('del', KEYS[1])`;

/**
 * Redis as a layer sees it: single keys, each with a lifetime. A question is answered within its time or fails, and
 * while Redis is away it fails at once. Connecting goes on in the background.
 */
export class RedisConnection {
  readonly #client: ReturnType<typeof createClient>;
  readonly #policy: IPolicy;
  /** Settles with the first try to connect, however it ends. */
  readonly #tried: Promise<Error | undefined>;
  #hasTried = false;
  #well = true;

  /** @throws TypeError when the address cannot be read; the client's own fault would show its password */
  constructor(url: string, { within, log }: RedisOptions) {
    if (!isRedisAddress(url)) throw new TypeError(`Redis cannot be asked: give the ${redisAddress}`);
    this.#client = createClient({
      url,
      // What cannot be asked now is not worth asking later.
      disableOfflineQueue: true,
      commandsQueueMaxLength: mostQueued,
      socket: { connectTimeout, reconnectStrategy: (tries) => Math.min(100 * (tries + 1), longestPause) },
    });
    this.#client.on('error', (error: unknown) => {
      if (this.#well) log('Redis cannot be reached; it is tried again', error);
      this.#well = false;
    });
    this.#client.on('ready', () => {
      if (!this.#well) log('Redis is back');
      this.#well = true;
    });
    this.#policy = wrap(
      circuitBreaker(handleAll, { halfOpenAfter: leftAlone, breaker: new ConsecutiveBreaker(missesInRow) }),
      timeout(within, TimeoutStrategy.Aggressive),
    );
    this.#tried = once(this.#client, 'ready').then(
      () => undefined,
      (error: unknown) => error as Error,
    );
    void this.#tried.then(() => {
      this.#hasTried = true;
    });
    this.#client.connect().catch(() => undefined);
  }

  /** @throws RedisAway, as each question does */
  async get(key: string): Promise<string | undefined> {
    return (await this.#ask(() => this.#client.get(key))) ?? undefined;
  }

  /** @param lifetime milliseconds */
  async set(key: string, value: string, lifetime: number): Promise<void> {
    await this.#ask(() => this.#client.set(key, value, { expiration: inMilliseconds(lifetime) }));
  }

  /** @returns whether the key was free, and is now set */
  async setIfNew(key: string, value: string, lifetime: number): Promise<boolean> {
    const options = { condition: 'NX', expiration: inMilliseconds(lifetime) } as const;
    return (await this.#ask(() => this.#client.set(key, value, options))) === 'OK';
  }

  /** @returns whether the key had the value that was known, and has the new one now */
  async swap(key: string, known: string, value: string, lifetime: number): Promise<boolean> {
    const { value: px } = inMilliseconds(lifetime);
    return (await this.#ask(() => this.#client.eval(swap, { keys: [key], arguments: [known, value, `${px}`] }))) === 1;
  }

  /** @returns whether the key had the value that was known, and is free now */
  async remove(key: string, known: string): Promise<boolean> {
    return (await this.#ask(() => this.#client.eval(remove, { keys: [key], arguments: [known] }))) === 1;
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      // The first questions come while it connects, and wait as long as a question may take.
      if (!this.#hasTried) await this.#policy.execute(() => this.#tried);
      if (!this.#client.isReady) throw new Error('Redis cannot be reached: check its address, and that it runs');
      return await this.#policy.execute(question);
    } catch (error) {
      throw new RedisAway(`Redis gave no answer: ${(error as Error).message}`, { cause: error });
    }
  }

  /** @throws what keeps it from connecting at its first try; it tries again in the background */
  async connected(): Promise<void> {
    const fault = await this.#tried;
    if (fault !== undefined) throw fault;
  }

  close(): void {
    if (this.#client.isOpen) this.#client.destroy();
  }
}

/** Redis takes whole milliseconds, from 1 on. */
function inMilliseconds(lifetime: number) {
  return { type: 'PX', value: Math.max(1, Math.floor(lifetime)) } as const;
}
