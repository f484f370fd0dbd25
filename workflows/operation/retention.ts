import { days, hours, minutes } from './duration.ts';

/** How long a flow keeps an answer, and after that the record that the key was used. Milliseconds. */
export type Retention = {
  /** Time from the settling in which the answer is replayed byte for byte. */
  readonly response: number;
  /** Time from the settling in which the key is refused instead of run again. */
  readonly tombstone: number;
  /** Why these numbers; printed when the check fails. */
  readonly because: string;
};

/** Two clocks may differ by this much before somebody is alerted. */
export const clockSkew = minutes(10);

/** Below a year a tombstone would let a key from last season run again. */
const shortestTombstone = days(365);

/** @returns what is wrong with a flow's retention, in words; empty when it is sound */
export function retentionFaults(
  flow: string,
  retention: Retention,
  longestRun: number,
  retryHorizon: number,
): readonly string[] {
  const faults: string[] = [];
  const least = retryHorizon + longestRun + clockSkew;
  if (retention.response < least)
    faults.push(
      `Flow ${flow} keeps its answers for ${inHours(retention.response)}, but its sender may still retry after ` +
        `${inHours(least)} (retry horizon ${inHours(retryHorizon)} + longest run ${inHours(longestRun)} + clock skew): ` +
        `raise retention.response in workflows/${flow}.flow.ts`,
    );
  if (retention.tombstone < Math.max(shortestTombstone, retention.response))
    faults.push(
      `Flow ${flow} forgets its keys after ${inHours(retention.tombstone)}: raise retention.tombstone in ` +
        `workflows/${flow}.flow.ts to a year or more`,
    );
  return faults;
}

function inHours(duration: number): string {
  return `${Math.ceil(duration / hours(1))} h`;
}
