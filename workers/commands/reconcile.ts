import { Command, InvalidArgumentError, Option } from 'commander';
import { connectSystems } from '../../activities/outside/connect-systems.ts';
import { systems, systemSettings } from '../../activities/outside/systems.ts';
import { type Reconciled, reconcile as reconcileBooks } from '../../activities/reconcile/reconcile.ts';
import { Database } from '../../activities/stores/postgres/database.ts';
import { type Difference, openDifferences } from '../../activities/stores/postgres/money/differences.ts';
import { minutes } from '../../workflows/operation/duration.ts';
import { NotDone } from './not-done.ts';
import { outputOption } from './output-option.ts';
import { ownSettings } from './own-settings.ts';

type Given = {
  readonly since?: string;
  readonly late: number;
  readonly output: 'table' | 'json';
};

/** Differences that are shown. `GET /v1/differences` has all of a tenant's. */
const shownDifferences = 100;

/** `hapax reconcile` */
export function reconcile(): Command {
  return new Command('reconcile')
    .description(
      "compares our books with the payment provider's ledger: books what is missing, and lists what does not add up. It never moves money. A schedule does the same by itself, once an hour.",
    )
    .option('--since <date>', 'from then on; by default from a day before the last comparison', date)
    .addOption(
      new Option('--late <minutes>', 'how long the provider may take to show a movement')
        .default(60)
        .argParser(wholeMinutes),
    )
    .addOption(outputOption())
    .action(run);
}

async function run({ since, late, output }: Given): Promise<void> {
  const config = await ownSettings(['DATABASE_URL', ...systemSettings]);
  const database = new Database(config.DATABASE_URL, 'hapax_upkeep', 2);
  const outside = await connectSystems(systems, config);
  try {
    const done = await reconcileBooks(
      { database, provider: outside.clients.payments.provider },
      { from: since, late: minutes(late) },
    );
    const open = await openDifferences(database, shownDifferences);
    write(done, open, output);
    if (open.length > 0) throw new NotDone('Not everything adds up: a person has to look at what is listed.');
  } finally {
    await Promise.all([database.close(), outside.close()]);
  }
}

function write(done: Reconciled, open: readonly Difference[], output: Given['output']): void {
  if (output === 'json') return console.log(JSON.stringify({ ...done, differences: open }));
  for (const [name, text] of [
    ['compared since', done.from],
    ['movements', done.movements.toLocaleString('en')],
    ['booked now', done.booked.toLocaleString('en')],
    ['of nothing here', done.unassigned.toLocaleString('en')],
    ['differences', `${open.length}${open.length < shownDifferences ? '' : ' or more'}`],
  ] as const)
    console.log(`${name.padEnd(18)}${text}`);
  for (const { id, kind, operation, says } of open)
    console.log(`${`! ${kind}`.padEnd(24)}${operation ?? 'no operation'}  ${id}\n  ${says}`);
}

function date(text: string): string {
  const at = Date.parse(text);
  if (at > Date.now()) throw new InvalidArgumentError('Give a date that is not in the future.');
  if (Number.isNaN(at)) throw new InvalidArgumentError("Give a date, such as '2026-11-01' or '2026-11-01T12:00:00Z'.");
  return new Date(at).toISOString();
}

function wholeMinutes(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('Give a whole number of minutes.');
  return Number(text);
}
