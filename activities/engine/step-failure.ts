import { ApplicationFailure } from '@temporalio/activity';
import type { Thrown } from '../../workflows/operation/call.ts';
import { Refused } from '../stores/outcomes/refused.ts';
import { Stopped } from '../stores/outcomes/stopped.ts';
import { Throttled } from '../stores/outcomes/throttled.ts';
import { LedgerFault } from '../stores/postgres/ledger-fault.ts';

/** Failures cross Temporal's boundary by name. Definitive ones are not tried again; all others are. */
export async function translated<T>(attempt: number, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw failureOf(error, attempt);
  }
}

/** Also for the ledger's own moves, which throw the same names. */
export async function ledgerMove<T>(work: () => Promise<T>): Promise<T> {
  return await translated(1, work);
}

function failureOf(error: unknown, attempt: number): unknown {
  if (error instanceof ApplicationFailure) return error;
  if (error instanceof Refused) return named('refused', error, [error.refusal, attempt]);
  if (error instanceof LedgerFault)
    switch (error.code) {
      case 'fenced':
      case 'settled':
      case 'cancel-requested':
      case 'impatient':
      case 'held-before':
        return named(error.code, error);
      case 'done':
      case 'missing':
      case 'constraint':
      case 'broken':
      case 'unavailable':
        return error;
    }
  if (error instanceof Throttled)
    return ApplicationFailure.create({
      message: error.message,
      type: 'throttled',
      category: 'BENIGN',
      // A workflow is given the details alone.
      details: [error.wait ?? null],
      ...(error.wait === undefined ? {} : { nextRetryDelay: error.wait }),
    });
  if (error instanceof Stopped) return named('stopped', error, [error.ending]);
  return error;
}

function named(type: Thrown, error: Error, details: unknown[] = []): ApplicationFailure {
  // It is an answer like any other, so it is not logged as an error.
  return ApplicationFailure.create({ message: error.message, type, nonRetryable: true, details, category: 'BENIGN' });
}
