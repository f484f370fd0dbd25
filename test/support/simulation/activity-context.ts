import { Context } from '@temporalio/activity';
import type { Tries } from '../../../workflows/operation/budget.ts';

const never = new Promise<never>(() => undefined);
const { signal } = new AbortController();
const quiet = () => undefined;
const log = { log: quiet, trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet };

/** What an activity sees of Temporal, as far as ours look. It counts as local: heartbeats would take real time. */
export function activityContext(attempt: number, { longestTry, firstPause, growth, longestPause }: Tries): Context {
  const info = {
    attempt,
    isLocal: true,
    startToCloseTimeoutMs: longestTry,
    scheduleToCloseTimeoutMs: 0,
    retryPolicy: { initialInterval: firstPause, backoffCoefficient: growth, maximumInterval: longestPause },
  };
  type Parts = ConstructorParameters<typeof Context>;
  const [unmeasured, uncancelled] = [{}, {}] as unknown as [Parts[6], Parts[7]];
  return new Context(info as unknown as Parts[0], never, signal, quiet, undefined, log, unmeasured, uncancelled);
}
