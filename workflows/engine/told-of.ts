import { minutes } from '../operation/duration.ts';
import type { Story } from './story.ts';
import { whyOf } from './unfinished.ts';

/**
 * @param what what has failed, as a subject
 * @returns what its caller is told. What it was inside (statements, addresses, names of tables) goes to the log alone.
 */
export function toldOf({ teller, flow }: Story, error: unknown, what: string): string {
  const inside = error instanceof Error ? (error.cause ?? error) : error;
  teller.log(`${what} has failed`, { cause: inside instanceof Error ? inside.message : String(inside) });
  return whyOf(error)?.kind === 'impatient'
    ? `${what} was not finished within ${flow.patience / minutes(1)} min.`
    : `${what} could not be finished.`;
}
