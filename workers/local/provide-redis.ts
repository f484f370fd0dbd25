import { join } from 'node:path';
import { readConfig } from '../config.ts';
import { findOnPath } from './find-binary.ts';
import { expectRedis, startRedis } from './redis.ts';
import { reachable, type Service } from './service.ts';
import type { Context } from './stack-context.ts';

/** Redis where there is one: a person's own, or a server that the machine has. The stack is whole without it. */
export async function provideRedis(context: Context): Promise<Service> {
  const { settings, keeper, say } = context;
  const { REDIS_URL: own } = readConfig(['REDIS_URL']);
  if (own !== undefined) {
    await reachable('REDIS_URL', 'Redis', () => expectRedis(own));
    say('Redis is ready (yours, by REDIS_URL)');
    return { environment: {}, addresses: { Redis: new URL(own).host } };
  }
  const binary =
    (await findOnPath('redis-server', settings.PATH)) ?? (await findOnPath('valkey-server', settings.PATH));
  if (binary === undefined) {
    say('Redis is not used: REDIS_URL is not set, and neither redis-server nor valkey-server is on the PATH');
    return { environment: {}, addresses: {} };
  }
  const { url } = await context.run('redis', 'services', (logFile) =>
    startRedis({
      binary,
      directory: join(context.directory, 'redis'),
      port: settings.HAPAX_REDIS_PORT,
      logFile,
      keeper,
    }),
  );
  say(`Redis is ready (${binary})`);
  return { environment: { REDIS_URL: url }, addresses: { Redis: url } };
}
