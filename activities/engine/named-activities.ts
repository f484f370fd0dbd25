import { Context } from '@temporalio/activity';
import {
  activityName,
  type StepCall,
  type StepReply,
  type UndoCall,
  undoActivityName,
  type WaitCall,
  type WaitReply,
} from '../../workflows/operation/call.ts';
import { heartbeat } from '../../workflows/operation/budget.ts';
import { type RetrySchedule, whileUndoing } from '../../workflows/operation/retry-schedule.ts';
import type { Guard } from './guard.ts';
import { troubleReported } from './report-trouble.ts';
import { type Check, unlessResolved } from './resolved-step.ts';
import type { StepActivities, WaitActivities } from './step-activities.ts';
import type { Database } from '../stores/postgres/database.ts';

export type Activity = (call: never) => Promise<unknown>;

/**
 * The activities of a flow's steps, under the names by which its story calls them.
 * @param guardOf stands before the outside system that a step calls
 * @param scheduleOf when a step that calls one is sent again
 */
export function namedActivities(
  database: Database,
  flow: string,
  steps: Readonly<Record<string, StepActivities | WaitActivities>>,
  guardOf: (step: string) => Guard,
  scheduleOf: (step: string) => RetrySchedule | undefined,
): Record<string, Activity> {
  const named: Record<string, Activity> = {};
  for (const [name, activities] of Object.entries(steps)) {
    const { undo } = activities;
    const guard = guardOf(name);
    const schedule = scheduleOf(name);
    const checks = activities.kind === 'step' ? activities.check : undefined;
    const check: Check = checks && ((call, said) => checks(call, said, guard));
    const step = activities.step as (
      call: StepCall | WaitCall,
      guard: Guard,
      schedule?: RetrySchedule,
    ) => Promise<StepReply | WaitReply>;
    named[activityName(flow, name)] = (call: StepCall | WaitCall) =>
      heartbeating(() =>
        troubleReported(database, call, false, () =>
          unlessResolved(database, call, check, () => step(call, guard, schedule)),
        ),
      );
    if (undo !== undefined)
      named[undoActivityName(flow, name)] = (call: UndoCall) =>
        heartbeating(() => troubleReported(database, call, true, () => undo(call, guard, schedule && whileUndoing)));
  }
  return named;
}

/** Local activities send no heartbeats. The others do, so a dead worker is noticed within 1.5 s. */
async function heartbeating<T>(work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  if (context.info.isLocal) return await work();
  const timer = setInterval(() => context.heartbeat(), heartbeat);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
