import { ApplicationFailure, Context } from '@temporalio/activity';
import type { Finished, Hold, StepCall } from '../../workflows/operation/call.ts';
import { Doubtful } from '../stores/outcomes/doubtful.ts';
import { EffectFree } from '../stores/outcomes/effect-free.ts';
import type { Database } from '../stores/postgres/database.ts';
import { LedgerFault } from '../stores/postgres/ledger-fault.ts';
import { reportTrouble } from '../stores/postgres/ledger/report-trouble.ts';

/** The part of a step's or an undo's call that its trouble needs. */
type Troubled = Hold & {
  readonly step: string;
  readonly personAfter: number;
  readonly carry: readonly Finished[];
} & Partial<Pick<StepCall, 'effect'>>;

/** A single failed try is normal: the next one makes up for it. */
const worthTelling = 2;

/**
 * Runs one try of a step and records in the ledger why it failed, so that people see an operation that makes no
 * progress. A failure that ends the step for good is no trouble: it has an answer.
 * @throws what the try has thrown; an error that leads to a retry is marked as benign, since the ledger shows it and
 *   the log need not repeat it
 */
export async function troubleReported<T>(
  database: Database,
  call: Troubled,
  undoing: boolean,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ApplicationFailure && error.nonRetryable) throw error;
    await report(database, call, undoing, error);
    throw benign(error);
  }
}

async function report(database: Database, call: Troubled, undoing: boolean, error: unknown): Promise<void> {
  // PostgreSQL is away, so nothing can be recorded, and its absence is reported elsewhere.
  if (error instanceof LedgerFault && error.code === 'unavailable') return;
  const { log } = Context.current();
  const { operation, step, personAfter, carry, effect } = call;
  const entering =
    effect === 'transaction'
      ? ({ kind: 'step', step, effect, noReturn: false } as const)
      : ({ kind: 'record' } as const);
  const met = { step, undoing, says: says(error), nextTry: nextTry(error), personAfter, entering, carry } as const;
  // The step is tried again even if its trouble cannot be reported.
  const tries = await reportTrouble(database, call, met).catch(() => 0);
  if (tries !== worthTelling) return;
  log.warn('An operation makes no progress', {
    operation: operation.id,
    step,
    undoing,
    met: String((error as Error).cause ?? error),
  });
}

/** A sentence for people, without the details of a foreign error: statements, addresses, names of tables. */
function says(error: unknown): string {
  if (error instanceof Doubtful || error instanceof EffectFree || error instanceof ApplicationFailure)
    return error.message;
  if (error instanceof LedgerFault)
    return error.constraint === undefined
      ? 'The database refused a statement of this step.'
      : `The database's rule ${error.constraint} refused what this step writes.`;
  const { code } = error as { code?: unknown };
  const known = typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,40}$/.test(code) ? ` (${code})` : '';
  return `No usable answer came back${known}: the worker's log has more.`;
}

/** Milliseconds, by the policy that Temporal follows. */
function nextTry(error: unknown): number {
  const asked = error instanceof ApplicationFailure ? Number(error.nextRetryDelay ?? Number.NaN) : Number.NaN;
  if (asked > 0) return asked;
  const { attempt, retryPolicy } = Context.current().info;
  const first = Number(retryPolicy?.initialInterval ?? 0);
  const longest = Number(retryPolicy?.maximumInterval ?? first * 100);
  return Math.min(longest, first * (retryPolicy?.backoffCoefficient ?? 2) ** (attempt - 1));
}

function benign(error: unknown): unknown {
  if (error instanceof ApplicationFailure) return error;
  const cause = error instanceof Error ? error : new Error(String(error));
  // Temporal shows the message to people. The original error is its cause.
  return ApplicationFailure.create({ message: says(error), type: cause.name, category: 'BENIGN', cause });
}
