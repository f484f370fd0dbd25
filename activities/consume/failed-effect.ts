import { drawPause, whileConsuming } from '../../workflows/operation/retry-schedule.ts';
import { Refused } from '../stores/outcomes/refused.ts';
import type { Kept, Reason } from '../stores/postgres/consumer/hold-message.ts';
import { timeLimits } from '../stores/postgres/ground/session.ts';
import { LedgerFault } from '../stores/postgres/ledger-fault.ts';

/** A deploy that mends an effect is out within the 27 minutes that these take. Then a person has to look. */
export const mostTries = 12;

/** The longest reason that is kept. Characters. */
const longestDetail = 1_000;

const inSeconds = (time: number): string => `${time / 1_000} s`;

/** SQLSTATEs for which the effect itself is the cause, in words for its dead letter. */
const ownFaults: ReadonlyMap<string, string> = new Map([
  ['57014', `The effect took too long: a statement may take ${inSeconds(timeLimits.statement_timeout)}.`],
  [
    '25P03',
    `The effect took too long: ${inSeconds(timeLimits.idle_in_transaction_session_timeout)} may pass between two statements.`,
  ],
  ['25P04', `The effect took too long: its transaction may take ${inSeconds(timeLimits.transaction_timeout)}.`],
  ['40001', 'The effect met another transaction that changed the same rows.'],
  ['40P01', 'The effect and another transaction waited for each other.'],
  ['55P03', 'The effect would not wait for a lock that another transaction holds.'],
  ['55000', 'The effect met an object in a state that does not allow this.'],
  ['55006', 'The effect met an object that is in use.'],
]);

/** Whether PostgreSQL is away: then no message is at fault, and none can be kept either. */
export function isAway(error: unknown): boolean {
  return error instanceof LedgerFault && error.code === 'unavailable' && ownFaultOf(error) === undefined;
}

/** @returns what the effect has done, where PostgreSQL ended its transaction for that */
function ownFaultOf(error: unknown): string | undefined {
  if (!(error instanceof LedgerFault) || error.code !== 'unavailable') return undefined;
  const { code = '', message = '' } = (error.cause ?? {}) as { readonly code?: string; readonly message?: string };
  const words = ownFaults.get(code);
  return words && `${words} PostgreSQL says: ${message}.`;
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
  return { code: 'effect-failed', detail: cut(ownFaultOf(error) ?? saidBy(error)) };
}

function saidBy(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function cut(text: string): string {
  return text.replaceAll('\0', '').slice(0, longestDetail);
}
