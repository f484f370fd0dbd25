import { memoryLayer } from '../../../client/dedup/memory-layer.ts';
import type { Layer } from '../../../client/dedup/layer.ts';
import { once } from '../../../client/dedup/once.ts';
import { postgresLayer } from '../../../client/dedup/postgres-layer.ts';
import { redisLayer } from '../../../client/dedup/redis-layer.ts';
import { minutes } from '../../../workflows/operation/duration.ts';
import { RedisServer } from '../../support/redis-server.ts';
import type { Figure } from '../measure/figure.ts';
import { median, percentile } from '../measure/statistics.ts';
import type { Part } from '../part.ts';

/** Duplicates that are asked for one after the other in a round. */
const asked = { memory: 20_000, redis: 2_000, postgres: 2_000 } as const;
type Kind = keyof typeof asked;
/** Reading the clock costs a part of a microsecond, so that calls from memory are timed by the hundred. */
const timedTogether: Readonly<Record<Kind, number>> = { memory: 100, redis: 1, postgres: 1 };
const ids = Array.from({ length: 100 }, (_, n) => `bench-${n}`);

/** What one duplicate takes that is answered by each layer alone. */
export const dedupPart: Part = async ({ servers, rounds: count, say }) => {
  const redis = await RedisServer.start(servers.root);
  const overRedis = redisLayer({ url: redis.url, onCrash: 'runs-again', space: 'bench' });
  const inPostgres = postgresLayer({ url: servers.postgres.url, tenant: 'alpha', space: 'bench' });
  const layers: Readonly<Record<Kind, Layer>> = { memory: memoryLayer(), redis: overRedis, postgres: inPostgres };
  const rounds: Record<Kind, number>[] = [];
  try {
    for (const layer of Object.values(layers)) for (const id of ids) await ask(layer, id);
    for (let number = -1; number < count; number += 1) {
      const round = {} as Record<Kind, number>;
      for (const kind of Object.keys(asked) as Kind[]) round[kind] = percentile(await times(layers[kind], kind), 0.5);
      // The first round has code compiled.
      if (number < 0) continue;
      rounds.push(round);
      say(`dedup: round ${number + 1} of ${count}`);
    }
  } finally {
    await Promise.all([overRedis.close(), inPostgres.close()]);
    await redis.stop();
  }
  const of = (kind: Kind): number => median(rounds.map((round) => round[kind]));
  const figures: Figure[] = [
    { name: 'a duplicate from memory, p50', unit: 'µs', value: of('memory') * 1_000, target: { atMost: 5 } },
    { name: 'a duplicate from Redis, p50', unit: 'ms', value: of('redis'), target: { atMost: 1 } },
    { name: 'a duplicate from PostgreSQL, p50', unit: 'ms', value: of('postgres'), target: { atMost: 2 } },
  ];
  return { figures, raw: rounds };
};

/** Milliseconds for each duplicate. */
async function times(layer: Layer, kind: Kind): Promise<number[]> {
  const together = timedTogether[kind];
  const taken: number[] = [];
  for (let n = 0; n < asked[kind]; n += together) {
    const begun = performance.now();
    for (let m = 0; m < together; m += 1) await ask(layer, ids[(n + m) % ids.length] as string);
    taken.push((performance.now() - begun) / together);
  }
  return taken;
}

async function ask(layer: Layer, id: string): Promise<unknown> {
  return await once(id, () => ({ id, booked: true }), { layers: [layer], window: minutes(60) });
}
