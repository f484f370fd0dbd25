import { LRUCache } from 'lru-cache';
import type { Answered, Hold, Layer } from './layer.ts';

type MemoryOptions = {
  /** Answers that are kept. Beyond these the one that was not asked for longest is forgotten. */
  readonly most?: number;
};

type Kept = { readonly answer: string; readonly until: number };
type Running = { readonly token: string; readonly ended: Promise<void>; readonly end: () => void };

/**
 * The memory of one process. Alone it is enough where one process does everything and may forget: a crash or a restart
 * loses all it knows, another process knows nothing of it, and the oldest answers are forgotten beyond `most`.
 * @param options 10,000 answers by default
 */
export function memoryLayer({ most = 10_000 }: MemoryOptions = {}): Layer {
  const answers = new LRUCache<string, Kept>({ max: most });
  const running = new Map<string, Running>();
  let holders = 0;

  const known = (id: string): Answered | undefined => {
    const kept = answers.get(id);
    return kept && { kind: 'answered', answer: kept.answer, left: kept.until - performance.now() };
  };
  const keep = (id: string, answer: string, left: number): void => {
    if (left > 0) answers.set(id, { answer, until: performance.now() + left }, { ttl: left });
  };
  const give = (id: string, { token }: Hold): boolean => {
    const holder = running.get(id);
    if (holder?.token !== token) return false;
    running.delete(id);
    holder.end();
    return true;
  };

  return {
    place: [],
    afterCrash: 'runs-again',
    look: async (id) => known(id),
    copy: async (id, answer, left) => keep(id, answer, left),
    // Without an await in between, so that nobody comes between the look and the claim.
    claim: async (id) => {
      const answered = known(id);
      if (answered !== undefined) return answered;
      if (running.has(id)) return { kind: 'taken' };
      holders += 1;
      const { promise: ended, resolve: end } = Promise.withResolvers<void>();
      running.set(id, { token: String(holders), ended, end });
      return { kind: 'ours', hold: { token: String(holders) } };
    },
    // A holder cannot die without this memory.
    renew: async (id, { token }) => running.get(id)?.token === token,
    settle: async (id, hold, answer, window) => {
      if (running.get(id)?.token !== hold.token) return false;
      keep(id, answer, window);
      return give(id, hold);
    },
    release: async (id, hold) => void give(id, hold),
    changed: async (id, atMost) => {
      const holder = running.get(id);
      if (holder === undefined) return;
      let late: NodeJS.Timeout | undefined;
      await Promise.race([holder.ended, new Promise((resolve) => (late = setTimeout(resolve, atMost)))]);
      clearTimeout(late);
    },
  };
}
