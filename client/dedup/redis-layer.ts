import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { RedisConnection } from '../../activities/stores/redis/redis-connection.ts';
import { seconds } from '../../workflows/operation/duration.ts';
import { isOutcome } from './kept-outcome.ts';
import type { Answered, ConnectedLayer, Hold } from './layer.ts';

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

const copy = z.tuple([z.string(), z.number(), z.string()]);

/** What stands under an id: `held:{token}` while its holder runs, then `kept:[name, end, answer]`. */
const held = ({ token }: Hold): string => `held:${token}`;

/** Before each try to free an id that nobody runs for: Redis may be about to start anew. Milliseconds. */
const freeingPauses = [0, seconds(1), seconds(2), seconds(4), seconds(8), seconds(16)];

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
  const freeLater = async (id: string, hold: Hold): Promise<void> => {
    for (const wait of freeingPauses) {
      await pause(wait, undefined, { ref: false });
      try {
        await redis.remove(nameOf(id), held(hold));
        return;
      } catch {
        // It is still away.
      }
    }
  };
  /**
   * Nothing runs for this hold, but where Redis gave no answer its marker may stand all the same. With `never-again` it
   * would keep everybody from running for the whole window.
   */
  const orFreeLater = async <T>(id: string, hold: Hold, asked: Promise<T>): Promise<T> => {
    try {
      return await asked;
    } catch (error) {
      void freeLater(id, hold);
      throw error;
    }
  };

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
        if (found?.startsWith('held:')) return { kind: 'taken' };
        // An answer past its end, or something that nobody of ours has written.
        if (found !== undefined) await redis.remove(nameOf(id), found);
        const hold = { token: randomUUID() };
        const lifetime = onCrash === 'runs-again' ? lease : window;
        const isOurs = await orFreeLater(id, hold, redis.setIfNew(nameOf(id), held(hold), lifetime));
        if (isOurs) return { kind: 'ours', hold };
      }
    },
    renew: async (id, hold, { lease, window }) => {
      const lifetime = onCrash === 'runs-again' ? lease : window;
      return await redis.swap(nameOf(id), held(hold), held(hold), lifetime);
    },
    settle: (id, hold, answer, window) => redis.swap(nameOf(id), held(hold), kept(nameOf(id), answer, window), window),
    release: async (id, hold) => void (await orFreeLater(id, hold, redis.remove(nameOf(id), held(hold)))),
    changed: (_id, atMost) => pause(atMost),
    close: async () => redis.close(),
  };
}

function kept(name: string, answer: string, left: number): string {
  return `kept:${JSON.stringify([name, Math.ceil(Date.now() + left), answer])}`;
}

/**
 * Reads what stands under a name. A copy of another id, garbage, and an answer past its end are ignored. The end is read
 * too, because a frozen process may write its copy late. Nothing is signed: whoever may write to this Redis may answer.
 */
function answeredBy(name: string, found: string | undefined): Answered | undefined {
  if (!found?.startsWith('kept:')) return undefined;
  try {
    const [of, end, answer] = copy.parse(JSON.parse(found.slice('kept:'.length)));
    const left = end - Date.now();
    return of === name && left > 0 && isOutcome(answer) ? { kind: 'answered', answer, left } : undefined;
  } catch {
    return undefined;
  }
}
