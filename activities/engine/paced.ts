import { ApplicationFailure } from '@temporalio/activity';
import { drawPause, type RetrySchedule } from '../../workflows/operation/retry-schedule.ts';
import { HeldBack } from '../stores/outcomes/held-back.ts';
import { Refused } from '../stores/outcomes/refused.ts';
import { Throttled } from '../stores/outcomes/throttled.ts';
import { LedgerFault } from '../stores/postgres/ledger-fault.ts';
import { unclearTry } from './unclear-try.ts';

/**
 * Gives what a send has met the pause of its schedule. Where the outside asks for a longer one, that counts. What our own
 * protection has turned away, and what the ledger has met, have pauses of their own.
 * @param schedule undefined where nothing is declared: Temporal's policy then decides
 * @param sends so many times it was sent
 */
export function paced(error: unknown, schedule: RetrySchedule | undefined, sends: number): unknown {
  if (
    schedule === undefined ||
    error instanceof Refused ||
    error instanceof HeldBack ||
    error instanceof LedgerFault ||
    error instanceof ApplicationFailure
  )
    return error;
  const pause = drawPause(sends, schedule, Math.random());
  if (error instanceof Throttled) return new Throttled(error.message, Math.max(error.wait ?? 0, pause));
  return unclearTry(error, pause);
}
