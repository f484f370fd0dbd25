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
import { troubleReported } from './report-trouble.ts';
import { unlessResolved } from './resolved-step.ts';
import type { StepActivities, WaitActivities } from './step-activities.ts';
import type { Database } from '../stores/postgres/database.ts';

export type Activity = (call: never) => Promise<unknown>;

/** The activities of a flow's steps, under the names by which its story calls them. */
export function namedActivities(
  database: Database,
  flow: string,
  steps: Readonly<Record<string, StepActivities | WaitActivities>>,
): Record<string, Activity> {
  const named: Record<string, Activity> = {};
  for (const [name, activities] of Object.entries(steps)) {
    const { undo } = activities;
    const check = activities.kind === 'step' ? activities.check : undefined;
    const step = activities.step as (call: StepCall | WaitCall) => Promise<StepReply | WaitReply>;
    named[activityName(flow, name)] = (call: StepCall | WaitCall) =>
      heartbeating(() =>
        troubleReported(database, call, false, () => unlessResolved(database, call, check, () => step(call))),
      );
    if (undo !== undefined)
      named[undoActivityName(flow, name)] = (call: UndoCall) =>
        heartbeating(() => troubleReported(database, call, true, () => undo(call)));
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
