import { minutes, seconds } from '../../workflows/operation/duration.ts';

/** After a longer pause we ask again: a wrong header costs minutes and not days. Milliseconds. */
const longestPause = minutes(5);

/**
 * `Retry-After` is a number of seconds or a date (RFC 9110, 10.2.3). A date is read by the clock that wrote it, where the
 * answer carries its `Date`, so that two clocks need not agree.
 * @returns milliseconds, or undefined where it says nothing of use
 */
export function retryAfter(headers: Headers, now: number): number | undefined {
  const asked = headers.get('retry-after')?.trim() ?? '';
  const pause = /^\d+$/.test(asked) ? seconds(Number(asked)) : Date.parse(asked) - dateOf(headers, now);
  return pause > 0 ? Math.min(pause, longestPause) : undefined;
}

function dateOf(headers: Headers, now: number): number {
  const written = Date.parse(headers.get('date') ?? '');
  return Number.isNaN(written) ? now : written;
}
