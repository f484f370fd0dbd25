import { seconds } from '../../../workflows/operation/duration.ts';
import { longestCallerWait } from '../../../workflows/operation/retry-schedule.ts';

/** Most operations settle in a tenth of a second; a person waits ten seconds before doing something else. */
const usual = seconds(10);

/** `Prefer: wait=n` (RFC 7240, 4.3), in milliseconds, bounded; a preference that cannot be read is ignored, as the RFC says. */
export function preferredWait(header: string | string[] | undefined, otherwise = usual): number {
  const text = Array.isArray(header) ? header.join(',') : (header ?? '');
  const match = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})"?(?=$|[,;\s])/i.exec(text);
  return match === null ? otherwise : Math.min(longestCallerWait, seconds(Number(match[1])));
}
