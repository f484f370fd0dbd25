import { drawPause, whileConsuming } from '../../workflows/operation/retry-schedule.ts';
import { Refused } from '../stores/outcomes/refused.ts';
import type { Kept, Reason } from '../stores/postgres/consumer/hold-message.ts';
import { LedgerFault } from '../stores/postgres/ledger-fault.ts';

/** A deploy that mends an effect is out within the 27 minutes that these take. Then a person has to look. */
export const mostTries = 12;

/** The longest reason that is kept. Characters. */
const longestDetail = 1_000;

/** SQLSTATEs for which the effect itself is the cause: it took too long, met another transaction, or would not wait for a lock. */
const ownFaults = new Set(['57014', '25P03', '25P04', '40001', '40P01', '55P03', '55000', '55006']);

/** Whether PostgreSQL is away: then no message is at fault, and none can be kept either. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof LedgerFault) || error.code !== 'unavailable') return false;
  const { code } = (error.cause ?? {}) as { readonly code?: string };
  return !ownFaults.has(code ?? '');
}

/** How a message is kept whose effect has failed. @param tries this one included @param random between 0 and 1 */
export function keptAfter(error: unknown, tries: number, random: number): Kept {
  if (error instanceof Refused) return { state: 'dead', why: { ...error.refusal, detail: cut(error.refusal.detail) } };
  const why = reasonOf(error);
  return tries >= mostTries
    ? { state: 'dead', why }
    : { state: 'due', why, pause: drawPause(tries, whileConsuming, random) };
}

function reasonOf(error: unknown): Reason {
  const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { code: 'effect-failed', detail: cut(said) };
}

function cut(text: string): string {
  return text.replaceAll('\0', '').slice(0, longestDetail);
}
