import type { ActivityOptions, LocalActivityOptions, RetryPolicy } from '@temporalio/workflow';
import { type Budget, heartbeat, type Tries } from '../operation/budget.ts';

/** Without heartbeats a worker that was killed is noticed when the try ends: recovery in 16.1 s. */
const heartbeatTimeout = heartbeat * 3;

/** A try as a local activity, in the workflow's own task. */
export function nearOptions({ longestTry, ...tries }: Tries): LocalActivityOptions {
  return { startToCloseTimeout: longestTry, retry: retryOf(tries) };
}

/** An activity of its own, which people see in Temporal's UI. @param bound milliseconds; undefined tries on */
export function farOptions({ far }: Budget, bound: number | undefined): ActivityOptions {
  const { longestTry, ...tries } = far;
  return {
    startToCloseTimeout: longestTry,
    heartbeatTimeout,
    retry: retryOf(tries),
    ...(bound === undefined ? {} : { scheduleToCloseTimeout: bound }),
  };
}

function retryOf({ firstPause, growth, longestPause, atMost }: Omit<Tries, 'longestTry'>): RetryPolicy {
  return {
    initialInterval: firstPause,
    backoffCoefficient: growth,
    maximumInterval: longestPause,
    ...(atMost === undefined ? {} : { maximumAttempts: atMost }),
  };
}
