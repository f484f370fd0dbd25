import { Context } from '@temporalio/activity';
import { activityName, type Hold, undoActivityName } from '../workflows/operation/call.ts';
import { heartbeat } from '../workflows/operation/presets.ts';

export type Activity = (call: never) => Promise<unknown>;

type Work<Call> = (call: Call) => Promise<unknown>;
type Named<Call extends Hold, UndoCall extends Hold> = {
  readonly step: Work<Call>;
  readonly undo: Work<UndoCall> | undefined;
};

/** The activities of a flow's steps, by the names that its story calls them by. */
export function namedActivities<Call extends Hold, UndoCall extends Hold>(
  flow: string,
  steps: Readonly<Record<string, Named<Call, UndoCall>>>,
): Record<string, Activity> {
  const named: Record<string, Activity> = {};
  for (const [name, { step, undo }] of Object.entries(steps)) {
    named[activityName(flow, name)] = (call: Call) => heartbeating(() => step(call));
    if (undo !== undefined) named[undoActivityName(flow, name)] = (call: UndoCall) => heartbeating(() => undo(call));
  }
  return named;
}

/** Activities beside the workflow are not heartbeated; the others are, so that a dead worker is noticed in 1.5 s. */
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
