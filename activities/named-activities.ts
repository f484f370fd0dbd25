import { Context } from '@temporalio/activity';
import { activityName, undoActivityName } from '../workflows/operation/call.ts';
import { heartbeat } from '../workflows/operation/presets.ts';
import { type Troubled, troubleReported } from './report-trouble.ts';
import type { Database } from './stores/postgres/database.ts';

export type Activity = (call: never) => Promise<unknown>;

type Work<Call> = (call: Call) => Promise<unknown>;
type Named<Call extends Troubled, UndoCall extends Troubled> = {
  readonly step: Work<Call>;
  readonly undo: Work<UndoCall> | undefined;
};

/** The activities of a flow's steps, by the names that its story calls them by. */
export function namedActivities<Call extends Troubled, UndoCall extends Troubled>(
  database: Database,
  flow: string,
  steps: Readonly<Record<string, Named<Call, UndoCall>>>,
): Record<string, Activity> {
  const named: Record<string, Activity> = {};
  for (const [name, { step, undo }] of Object.entries(steps)) {
    named[activityName(flow, name)] = (call: Call) =>
      heartbeating(() => troubleReported(database, call, false, () => step(call)));
    if (undo !== undefined)
      named[undoActivityName(flow, name)] = (call: UndoCall) =>
        heartbeating(() => troubleReported(database, call, true, () => undo(call)));
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
