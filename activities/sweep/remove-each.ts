import pLimit from 'p-limit';
import type { Counts } from '../stores/postgres/sweeps/sweep-pass.ts';
import { endTrouble, keepReclaimed, keepTrouble } from '../stores/postgres/sweeps/sweep-record.ts';
import type { SweepReach } from './sweep-stage.ts';

/** Calls that one sweep sends at a time: 10,000 objects in under a minute, and most of the store left for callers. */
const atOnce = 20;

type Leftover = { readonly thing: string; readonly bytes: number };

/**
 * Removes what no row explains, or only says that it would. What cannot be removed is kept as a trouble, and the next pass
 * finds it again.
 */
export async function removeEach<T extends Leftover>(
  { database, removes, found }: SweepReach,
  what: string,
  leftovers: readonly T[],
  remove: (leftover: T) => Promise<void>,
): Promise<Pick<Counts, 'removed' | 'bytes' | 'failed'>> {
  const limit = pLimit(atOnce);
  const gone: T[] = [];
  let failed = 0;
  const one = async (leftover: T): Promise<void> => {
    const { thing, bytes } = leftover;
    if (!removes) return found({ what, thing, bytes, outcome: 'would be removed' });
    try {
      await remove(leftover);
      gone.push(leftover);
      found({ what, thing, bytes, outcome: 'removed' });
    } catch (error) {
      failed += 1;
      found({ what, thing, bytes, outcome: 'failed' });
      await keepTrouble(database, what, thing, (error as Error).message);
    }
  };
  await Promise.all(leftovers.map((leftover) => limit(one, leftover)));
  const bytes = gone.reduce((sum, leftover) => sum + leftover.bytes, 0);
  await keepReclaimed(database, what, { objects: gone.length, bytes });
  if (removes)
    await endTrouble(
      database,
      what,
      gone.map(({ thing }) => thing),
    );
  return { removed: gone.length, bytes, failed };
}
