import { ApplicationFailure } from '@temporalio/activity';
import { Doubtful } from '../stores/outcomes/doubtful.ts';
import { EffectFree } from '../stores/outcomes/effect-free.ts';
import { LedgerFault } from '../stores/postgres/ledger-fault.ts';

/**
 * What a try without a clear outcome has met, for Temporal and for people. The original error is its cause. It is benign, since
 * the ledger shows it and the log need not repeat it.
 * @param pause milliseconds until the next try; undefined leaves it to Temporal's policy
 */
export function unclearTry(error: unknown, pause?: number): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error;
  const cause = error instanceof Error ? error : new Error(String(error));
  return ApplicationFailure.create({
    message: says(error),
    type: cause.name,
    category: 'BENIGN',
    cause,
    // A workflow is given the details alone.
    ...(pause === undefined ? {} : { nextRetryDelay: pause, details: [pause] }),
  });
}

/** A sentence for people, without the details of a foreign error: statements, addresses, names of tables. */
function says(error: unknown): string {
  if (error instanceof Doubtful || error instanceof EffectFree) return error.message;
  if (error instanceof LedgerFault)
    return error.constraint === undefined
      ? 'The database refused a statement of this step.'
      : `The database's rule ${error.constraint} refused what this step writes.`;
  const { code } = error as { code?: unknown };
  const known = typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,40}$/.test(code) ? ` (${code})` : '';
  return `No usable answer came back${known}: the worker's log has more.`;
}
