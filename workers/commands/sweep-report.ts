import type { Counts } from '../../activities/stores/postgres/sweeps/sweep-pass.ts';
import type { Reclaimed, SweepTrouble } from '../../activities/stores/postgres/sweeps/sweep-record.ts';

export type SweepReport = {
  readonly dryRun: boolean;
  /** What was removed, or would be, by what it was. */
  readonly reclaimed: Readonly<Record<string, Reclaimed>>;
  readonly counts: Counts;
  readonly heldBack: string | null;
  readonly troubles: readonly SweepTrouble[];
};

/** Prints what a sweep has found. */
export function writeSweepReport(report: SweepReport, output: 'table' | 'json'): void {
  const { dryRun, reclaimed, counts, heldBack, troubles } = report;
  if (output === 'json') return console.log(JSON.stringify({ ...report, ratios: ratiosOf(report) }));
  const verb = dryRun || heldBack !== null ? 'would be removed' : 'removed';
  const rows = Object.entries(reclaimed).map(([what, sum]): [string, string] => [
    what,
    `${number(sum.objects)} ${verb}, ${size(sum.bytes)}`,
  ]);
  const { dedup, duplication } = ratiosOf(report);
  for (const [name, text] of [
    ...rows,
    ['looked at', `${number(counts.lookedAt)} things in the bucket and the rows`],
    ['rows without objects', number(counts.lost)],
    ['not ours, left alone', number(counts.notOurs)],
    ['in the bucket', `${size(counts.storedBytes)} of uploads, ${size(counts.derivedBytes)} made of them`],
    [
      'files',
      `${size(counts.fileBytes)} in ${size(counts.contentBytes)} of contents (dedup ${dedup}, duplication ${duplication})`,
    ],
  ] as const)
    console.log(`${name.padEnd(22)}${text}`);
  for (const { what, thing, detail, tries } of troubles)
    console.log(`${`! ${what}`.padEnd(22)}${thing}: ${detail}${tries > 1 ? ` (${tries} times)` : ''}`);
}

/** How often a content is shared, and how often it is stored: more than 1.00 is waste. */
function ratiosOf({ counts }: SweepReport): { readonly dedup: string; readonly duplication: string } {
  const ratio = (above: number, below: number) => (below === 0 ? 1 : above / below).toFixed(2);
  return {
    dedup: ratio(counts.fileBytes, counts.contentBytes),
    duplication: ratio(counts.storedBytes + counts.unexplainedBytes, counts.contentBytes),
  };
}

const number = (count: number) => count.toLocaleString('en');

function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;
  const step = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), units.length - 1);
  return `${step === 0 ? bytes : (bytes / 1024 ** step).toFixed(1)} ${units[step]}`;
}
