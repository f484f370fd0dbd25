import { ApplicationFailure, Context } from '@temporalio/activity';
import type { Finished, Hold, StepCall } from '../../workflows/operation/call.ts';
import type { Database } from '../stores/postgres/database.ts';
import { LedgerFault } from '../stores/postgres/ledger-fault.ts';
import { reportTrouble } from '../stores/postgres/ledger/report-trouble.ts';
import { unclearTry } from './unclear-try.ts';

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
 * @throws what the try has thrown; an error that leads to a retry is marked as benign
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
    // PostgreSQL is away, so nothing can be recorded, and its absence is reported elsewhere.
    const isAway = error instanceof LedgerFault && error.code === 'unavailable';
    const failure = unclearTry(error);
    if (!isAway) await report(database, call, undoing, failure);
    throw failure;
  }
}

async function report(
  database: Database,
  call: Troubled,
  undoing: boolean,
  failure: ApplicationFailure,
): Promise<void> {
  const { log } = Context.current();
  const { operation, step, personAfter, carry, effect } = call;
  const entering =
    effect === 'transaction'
      ? ({ kind: 'step', step, effect, noReturn: false } as const)
      : ({ kind: 'record' } as const);
  const trouble = {
    step,
    undoing,
    says: failure.message,
    nextTry: nextTry(failure),
    personAfter,
    entering,
    carry,
  } as const;
  // The step is tried again even if its trouble cannot be reported.
  const tries = await reportTrouble(database, call, trouble).catch(() => 0);
  if (tries !== worthTelling) return;
  const met: unknown = failure.cause ?? failure;
  log.warn('An operation makes no progress', {
    operation: operation.id,
    step,
    undoing,
    met: String((met as Error).cause ?? met),
  });
}

/** Milliseconds, by the policy that Temporal follows. */
function nextTry({ nextRetryDelay }: ApplicationFailure): number {
  const asked = Number(nextRetryDelay ?? Number.NaN);
  if (asked > 0) return asked;
  const { attempt, retryPolicy } = Context.current().info;
  const first = Number(retryPolicy?.initialInterval ?? 0);
  const longest = Number(retryPolicy?.maximumInterval ?? first * 100);
  return Math.min(longest, first * (retryPolicy?.backoffCoefficient ?? 2) ** (attempt - 1));
}
