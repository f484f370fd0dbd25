import { minutes } from '../operation/duration.ts';
import type { Story } from './story.ts';
import { whyOf } from './unfinished.ts';

/**
 * @param what the subject of the sentence: what has failed
 * @returns the sentence for the caller; details (statements, addresses, names of tables) go to the log only
 */
export function toldOf({ teller, flow }: Story, error: unknown, what: string): string {
  const inside = error instanceof Error ? (error.cause ?? error) : error;
  teller.log(`${what} has failed`, { cause: inside instanceof Error ? inside.message : String(inside) });
  return whyOf(error)?.kind === 'impatient'
    ? `${what} was not finished within ${flow.patience / minutes(1)} min.`
    : `${what} could not be finished.`;
}
