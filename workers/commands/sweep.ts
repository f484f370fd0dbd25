import { Command, Option } from 'commander';
import { Database } from '../../activities/stores/postgres/database.ts';
import type { Counts } from '../../activities/stores/postgres/sweeps/sweep-pass.ts';
import { type Reclaimed, sweepTroubles } from '../../activities/stores/postgres/sweeps/sweep-record.ts';
import { acceptStanding, standingOf } from '../../activities/sweep/ledger-standing.ts';
import { BucketSweep } from '../../activities/sweep/sweep-bucket.ts';
import type { Finding } from '../../activities/sweep/sweep-stage.ts';
import { connectS3, s3Settings } from '../connect-s3.ts';
import { DueSweeps } from '../due-sweeps.ts';
import { createLogger } from '../logger.ts';
import { registrations } from '../registrations.ts';
import { NotDone } from './not-done.ts';
import { outputOption } from './output-option.ts';
import { ownSettings } from './own-settings.ts';
import { type SweepReport, writeSweepReport } from './sweep-report.ts';

type Given = {
  readonly dryRun?: true;
  readonly acceptLedger?: true;
  readonly verbose?: true;
  readonly output: 'table' | 'json';
};

/** Troubles that are shown. The table `sweep_trouble` has all of them. */
const shownTroubles = 100;

/** `hapax sweep` */
export function sweep(): Command {
  return new Command('sweep')
    .description(
      'removes what nobody wants any more: what came after the end of operations, deleted files, and what no row explains. Upkeep does the same by itself, once a day.',
    )
    .addOption(
      new Option('-n, --dry-run', 'only look: say what would be removed, and change nothing').conflicts('acceptLedger'),
    )
    .option('--accept-ledger', 'this ledger has all rows that count, though it was restored, moved or made anew')
    .option('-v, --verbose', 'name each thing that was found, on stderr')
    .addOption(outputOption())
    .action(run);
}

async function run(given: Given): Promise<void> {
  const config = await ownSettings(['DATABASE_URL', ...s3Settings]);
  const database = new Database(config.DATABASE_URL, 'hapax_upkeep', 4);
  const tenants = new Database(config.DATABASE_URL, 'hapax_app', 4);
  const objects = connectS3(config);
  let stopping = false;
  process.once('SIGINT', () => (stopping = true));
  process.once('SIGTERM', () => (stopping = true));
  const kinds = new Map<string, { objects: number; bytes: number }>();
  const found = ({ what, thing, bytes, outcome }: Finding): void => {
    if (given.verbose) console.error(`${outcome}\t${what}\t${thing}\t${bytes}`);
    if (outcome !== 'removed' && outcome !== 'would be removed') return;
    const sum = kinds.get(what) ?? { objects: 0, bytes: 0 };
    kinds.set(what, { objects: sum.objects + 1, bytes: sum.bytes + bytes });
  };
  try {
    if (given.acceptLedger) await acceptStanding(database, objects);
    const bucket = new BucketSweep({ database, objects }, found);
    const looks = given.dryRun === true || (await standingOf(database, objects)).kind === 'doubtful';
    const late: ReadonlyMap<string, Reclaimed> = looks
      ? new Map()
      : await new DueSweeps(database, tenants, objects, await registrations(), createLogger('sweep', 'silent')).run(
          () => stopping,
        );
    if (stopping) throw new NotDone('Stopped before the bucket was compared with the rows.');
    const walked = given.dryRun ? await bucket.look(() => stopping) : await walk(bucket, () => stopping);
    const report: SweepReport = {
      dryRun: given.dryRun === true,
      reclaimed: Object.fromEntries([...late, ...kinds].map(([what, sum]) => [what, { ...sum }])),
      counts: walked.counts,
      heldBack: walked.heldBack,
      troubles: await sweepTroubles(database, shownTroubles),
    };
    writeSweepReport(report, given.output);
    if (walked.heldBack !== null) throw new NotDone(`Nothing was removed from the bucket. ${walked.heldBack}`);
    if (walked.counts.failed > 0) throw new NotDone('Not everything could be removed: the next sweep tries again.');
    if (walked.counts.lost > 0) throw new NotDone('Rows have lost their objects: see above, or ask with --verbose.');
  } finally {
    await Promise.all([database.close(), tenants.close()]);
    objects.close();
  }
}

async function walk(
  bucket: BucketSweep,
  stopping: () => boolean,
): Promise<{ readonly counts: Counts; readonly heldBack: string | null }> {
  const pass = await bucket.work({ by: 'command', anew: true, pages: Number.POSITIVE_INFINITY, stopping });
  if (pass === undefined) throw new NotDone('Another process sweeps this bucket now: try again in two minutes.');
  if (pass.endedAt === null) throw new NotDone(`Stopped at ${pass.stage} ${pass.after}. Upkeep goes on from there.`);
  return pass;
}
