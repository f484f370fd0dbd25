import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { RedisConnection } from '../../activities/stores/redis/redis-connection.ts';
import { seconds } from '../../workflows/operation/duration.ts';
import { type Child, startChild } from './child.ts';
import type { Keeper } from './keeper.ts';
import { untilReady } from './until-ready.ts';

/** More than a local stack has answers for. Then the copies that end soonest go first. */
const memory = '64mb';

/**
 * Starts Redis or Valkey on 127.0.0.1 with nothing on disk; ready when it answers. What it holds are copies, and a start
 * without them costs speed alone.
 */
export async function startRedis(options: {
  /** `redis-server` or `valkey-server`. */
  binary: string;
  directory: string;
  port: number;
  logFile: string;
  keeper?: Keeper | undefined;
}): Promise<Child & { url: string }> {
  const directory = resolve(options.directory);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const url = `redis://127.0.0.1:${options.port}`;
  const child = await startChild({
    command: options.binary,
    args: [
      ...['--port', String(options.port), '--bind', '127.0.0.1', '--dir', directory],
      ...['--save', '', '--appendonly', 'no', '--maxmemory', memory, '--maxmemory-policy', 'volatile-ttl'],
    ],
    logFile: options.logFile,
    keeper: options.keeper,
  });
  await untilReady({
    what: 'Redis',
    child,
    probe: () => expectRedis(url),
    advice: `See ${options.logFile}; another port is set by HAPAX_REDIS_PORT, a Redis of your own by REDIS_URL.`,
  });
  return { ...child, url };
}

/** @throws why nothing there can be used as Redis */
export async function expectRedis(url: string): Promise<void> {
  const redis = new RedisConnection(url, { within: seconds(2), log: () => undefined });
  try {
    await redis.connected();
    await redis.get('hapax:probe');
  } finally {
    redis.close();
  }
}
