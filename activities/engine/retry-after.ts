import { seconds } from '../../workflows/operation/duration.ts';
import { longestAskedPause } from '../../workflows/operation/retry-schedule.ts';

/**
 * `Retry-After` is a number of seconds or a date (RFC 9110, 10.2.3). If the answer carries a `Date`, a date is read by
 * that clock, so the two clocks need not agree.
 * @returns milliseconds, or undefined if it says nothing useful
 */
export function retryAfter(headers: Headers, now: number): number | undefined {
  const asked = headers.get('retry-after')?.trim() ?? '';
  const pause = /^\d+$/.test(asked) ? seconds(Number(asked)) : Date.parse(asked) - dateOf(headers, now);
  return pause > 0 ? Math.min(pause, longestAskedPause) : undefined;
}

function dateOf(headers: Headers, now: number): number {
  const written = Date.parse(headers.get('date') ?? '');
  return Number.isNaN(written) ? now : written;
}
