import { seconds } from '../workflows/operation/duration.ts';
import { whileCallerWaits } from '../workflows/operation/retry-schedule.ts';

/** A service that asks for a longer pause is in trouble: the next try is left to the person. Milliseconds. */
const longestAsked = seconds(5);

/**
 * The pause before the next try, drawn at random so that many clients that failed together do not come back together.
 * @param retries that were made before
 * @param asked by the server's Retry-After, in milliseconds
 * @param random between 0 and 1
 * @returns milliseconds; undefined where nothing more is tried by itself
 */
export function retryPause(retries: number, asked: number, random: number): number | undefined {
  const { pauses, jitter } = whileCallerWaits;
  const pause = pauses[retries];
  if (pause === undefined || asked > longestAsked) return undefined;
  const drawn = pause * (jitter.from + random * (jitter.to - jitter.from));
  // Nobody comes back before the time that the server asks for, and all who were told the same time stay spread.
  return Math.ceil(asked === 0 ? drawn : Math.max(drawn, asked + drawn - pause * jitter.from));
}
