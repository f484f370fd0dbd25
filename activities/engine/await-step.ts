import { Context } from '@temporalio/activity';
import type { WaitCall, WaitReply } from '../../workflows/operation/call.ts';
import { samenessOf } from '../../workflows/operation/sameness.ts';
import type { About } from '../stores/about.ts';
import type { Database } from '../stores/postgres/database.ts';
import { arrive } from '../stores/postgres/ledger/arrive.ts';
import { endWait, lookAtWait, type Waiting, waiting } from '../stores/postgres/ledger/begin-wait.ts';
import { recordSteps } from '../stores/postgres/ledger/enter.ts';
import { LedgerFault } from '../stores/postgres/ledger-fault.ts';
import { aboutOf } from './about-of.ts';
import type { Guard } from './guard.ts';
import { type OutsideStep, outsideUndo } from './outside-step.ts';
import type { WaitActivities } from './step-activities.ts';
import { ledgerMove } from './step-failure.ts';
import { timeOfTry } from './time-of-try.ts';

/** What a flow adds to a step that waits. Evidence comes in through `arrive`, and the step looks for it there. */
export type AwaitedStep<Evidence> = {
  /** Called after the deadline, and as often as the step declares: finds evidence that nobody has reported. */
  readonly adopt?: (about: About) => Promise<Evidence | undefined>;
  /** Takes back what may have come. `evidence` is null if nobody knows what came. */
  readonly undo?: NonNullable<OutsideStep<never, null, Evidence>['undo']>;
};

/** Makes the activities of a step that waits for something from outside. */
export function awaitedActivities<Evidence extends Readonly<Record<string, unknown>>>(
  database: Database,
  { adopt, undo }: AwaitedStep<Evidence>,
): WaitActivities {
  const look = async (call: WaitCall, closing: boolean): Promise<Waiting> => {
    const seen = await database.transaction<Waiting>(
      call.operation.tenant,
      lookAtWait(call, closing),
      async (_tx, opened) => {
        const value = waiting(opened, closing);
        if (value.cancelRequested || value.outcome.kind !== 'arrived') return { value, closing: [] };
        const { step, position } = call;
        // A wait has no tries, so it is recorded for the step as such.
        const ended = { step, position, attempt: 0, state: 'done', result: value.outcome.evidence } as const;
        return { value, closing: [recordSteps(call, [ended]), endWait(call)] };
      },
    );
    // Thrown after the commit, so the step's row stays, and its undo looks for what may still have arrived.
    if (seen.cancelRequested) throw new LedgerFault('cancel-requested', `${call.operation.id} is to be cancelled`);
    return seen;
  };
  const looked = (call: WaitCall, guard: Guard) =>
    adopt && guard({ ...timeOfTry(), kind: isRepeated() ? 'retry' : 'look' }, () => adopt(aboutOf(call)));
  return {
    kind: 'wait',
    step: (call, guard) =>
      ledgerMove(async () => {
        const first = await look(call, false);
        const due = first.remaining <= 0;
        if (first.outcome.kind !== 'open' || (!due && call.looks !== true)) return replyOf(first);
        // Before the deadline there is another look.
        const found = await looked(call, guard)?.catch((error: unknown) => {
          if (due) throw error;
        });
        if (found !== undefined) {
          const { step, position, same } = call;
          const sameness = samenessOf(found, same);
          await arrive(database, call.operation, { step, position, evidence: found, sameness, evenDue: true });
        }
        return replyOf(await look(call, due));
      }),
    undo: undo && outsideUndo(database, undo),
  };
}

/** A look that got no answer is asked again by the same activity. */
function isRepeated(): boolean {
  return Context.current().info.attempt > 1;
}

function replyOf({ outcome, remaining }: Waiting): WaitReply {
  switch (outcome.kind) {
    case 'arrived':
      return { kind: 'arrived', result: outcome.evidence };
    case 'closed':
      return { kind: 'closed' };
    case 'open':
      return { kind: 'waiting', remaining };
  }
}
