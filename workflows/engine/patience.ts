import { ApplicationFailure, workflowInfo } from '@temporalio/workflow';
import type { AnyFlow } from '../operation/flow.ts';
import type { Story } from './story.ts';

/** How long a story is still tried before its point of no return. It counts over all runs of an operation. */

/** @param age how much of it is gone, by the ledger's clock. Milliseconds. @returns its end by the workflow's clock */
export function patienceEnds({ patience }: AnyFlow, age: number): number {
  return now() + patience - age;
}

/** How long ago this run was asked for, or the one that it was reset from: work may wait for a worker. Milliseconds. */
export function ageOfRun(): number {
  return now() - workflowInfo().startTime.getTime();
}

/** @throws a failure when it has ended: the story is then undone */
export function expectPatience(story: Story): void {
  const { flow, engine } = story;
  if (engine.forward || engine.until > now()) return;
  throw ApplicationFailure.nonRetryable(`The patience of ${flow.name} has ended`, 'impatient');
}

/** What an activity's tries are bounded by; past the point of no return a step is asked for until it is known. */
export function withinPatience({ engine }: Story): { readonly scheduleToCloseTimeout?: number } {
  return engine.forward ? {} : { scheduleToCloseTimeout: Math.max(1, engine.until - now()) };
}

function now(): number {
  return Date.now();
}
