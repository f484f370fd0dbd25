import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { RedisConnection } from '../../activities/stores/redis/redis-connection.ts';
import { seconds } from '../../workflows/operation/duration.ts';
import { answeredBy, held, isHeld, kept } from './entry.ts';
import { orFreeLater } from './free-later.ts';
import type { ConnectedLayer, Hold } from './layer.ts';

type RedisLayerOptions = {
  /** Such as `redis://127.0.0.1:6379`. */
  readonly url: string;
  /**
   * What a holder leaves that dies while it runs. `runs-again`: its lease ends, and the next call runs, so that something
   * may happen twice (at least once). `never-again`: the id stays taken for the window, so that it may have happened or
   * not (at most once). Redis alone cannot give both. A Redis that loses its memory makes either of them run again.
   */
  readonly onCrash: 'runs-again' | 'never-again';
  /** Keeps the ids of one use apart from those of another in the same Redis. */
  readonly space: string;
  /** How long a question to Redis may take. Milliseconds; by default a second, since Redis decides. */
  readonly within?: number;
  readonly log?: (message: string, error?: unknown) => void;
};

/** Redis, for a fleet of processes that may do something twice, or leave it out, when one of them or Redis dies. */
export function redisLayer({
  url,
  onCrash,
  space,
  within = seconds(1),
  log = console.warn,
}: RedisLayerOptions): ConnectedLayer {
  const redis = new RedisConnection(url, { within, log });
  // Encoded, a space holds no colon: `a` with the id `b:c` and `a:b` with the id `c` have names of their own.
  const prefix = `hapax:once:${encodeURIComponent(space)}:`;
  const nameOf = (id: string): string => `${prefix}${id}`;
  const look = async (id: string): Promise<string | undefined> => await redis.get(nameOf(id));
  const free = (id: string, hold: Hold): Promise<unknown> => redis.remove(nameOf(id), held(hold));

  return {
    place: [space],
    afterCrash: onCrash,
    look: async (id) => answeredBy(nameOf(id), await look(id)),
    copy: (id, answer, left) => redis.set(nameOf(id), kept(nameOf(id), answer, left), left),
    async claim(id, { lease, window }) {
      for (;;) {
        const found = await look(id);
        const answered = answeredBy(nameOf(id), found);
        if (answered !== undefined) return answered;
        if (isHeld(found)) return { kind: 'taken' };
        // An answer past its end, or something that nobody of ours has written.
        if (found !== undefined) await redis.remove(nameOf(id), found);
        const hold = { token: randomUUID() };
        const lifetime = onCrash === 'runs-again' ? lease : window;
        const isOurs = await orFreeLater(redis.setIfNew(nameOf(id), held(hold), lifetime), id, hold, free);
        if (isOurs) return { kind: 'ours', hold };
      }
    },
    renew: async (id, hold, { lease, window }) => {
      const lifetime = onCrash === 'runs-again' ? lease : window;
      return await redis.swap(nameOf(id), held(hold), held(hold), lifetime);
    },
    settle: (id, hold, answer, window) => redis.swap(nameOf(id), held(hold), kept(nameOf(id), answer, window), window),
    release: async (id, hold) => void (await orFreeLater(free(id, hold), id, hold, free)),
    changed: (_id, atMost) => pause(atMost),
    close: async () => redis.close(),
  };
}
