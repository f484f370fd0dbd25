import type { Logger } from 'pino';
import type { SweepPass } from '../activities/stores/postgres/sweeps/sweep-pass.ts';
import { storage, sweepTotals } from './telemetry.ts';

/** Shows in log and metrics what a pass over the bucket has found, once it has ended. */
export function tellSweep({ endedAt, heldBack, counts }: SweepPass, log: Logger): void {
  if (endedAt === null) return;
  const { storedBytes, derivedBytes, unexplainedBytes, fileBytes, contentBytes, ...things } = counts;
  for (const [what, count] of Object.entries(things)) sweepTotals.set({ what }, count);
  for (const [what, count] of [
    ['files', fileBytes],
    ['contents', contentBytes],
    ['stored', storedBytes],
    ['derived', derivedBytes],
    ['unexplained', unexplainedBytes],
  ] as const)
    storage.set({ what }, count);
  if (heldBack !== null) log.error(counts, `Nothing was removed from the bucket. ${heldBack}`);
  else if (counts.lost > 0 || counts.failed > 0)
    log.error(counts, 'Files have lost their objects, or objects could not be removed: see hapax sweep --dry-run.');
  else log.info(counts, 'the bucket was compared with the rows');
}
