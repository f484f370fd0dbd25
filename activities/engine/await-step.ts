import type { WaitCall, WaitReply } from '../../workflows/operation/call.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import { aboutOf } from './about-of.ts';
import { type OutsideStep, outsideUndo } from './outside-step.ts';
import type { StepActivities } from './step-activities.ts';
import { ledgerMove } from './step-failure.ts';
import type { About } from '../stores/about.ts';
import { Refused } from '../stores/outcomes/refused.ts';
import { beginWait, endWait, type Waiting, waiting } from '../stores/postgres/ledger/begin-wait.ts';
import type { Database, Statement, Transaction } from '../stores/postgres/database.ts';
import { recordSteps } from '../stores/postgres/ledger/hold.ts';
import { LedgerFault } from '../stores/postgres/ledger-fault.ts';

export type Look<Result> =
  | { readonly kind: 'arrived'; readonly result: Result }
  | { readonly kind: 'open' }
  /** Nothing will count any more. */
  | { readonly kind: 'closed'; readonly refusal: Refusal };

/** An effect that the caller makes. Whoever sees it happen writes it to the ledger; the step looks there. */
export type AwaitedStep<Result> = {
  look(tx: Transaction, about: About): Promise<Look<Result>>;
  /** The deadline has passed: writes to the ledger what is there and nobody has told. */
  adopt(about: About): Promise<void>;
  /** Decides in the ledger that nothing has arrived, unless something has. */
  close(about: About): Statement;
  undo: NonNullable<OutsideStep<never, null, Result>['undo']>;
};

type Seen<Result> = { readonly looked: Look<Result> | undefined; readonly terms: Waiting };
type WaitActivity = (call: WaitCall) => Promise<WaitReply>;

/** Makes the activities of a step that the caller makes. */
export function awaitedActivities<Result>(
  database: Database,
  step: AwaitedStep<Result>,
): { readonly step: WaitActivity; readonly undo: StepActivities['undo'] } {
  const look = async (call: WaitCall, closing: boolean): Promise<WaitReply<Result>> => {
    const about = aboutOf(call);
    const { looked, terms } = await database.transaction<Seen<Result>>(
      about.tenant,
      beginWait(call),
      async (tx, opened) => {
        const terms = waiting(opened.at(-1));
        if (terms.cancelRequested) return { value: { looked: undefined, terms }, closing: [] };
        if (closing) await tx.run(step.close(about));
        const found = await step.look(tx, about);
        const value = { looked: found, terms };
        if (found.kind !== 'arrived') return { value, closing: [] };
        const { step: name, position } = call;
        // Recorded for the step whatever its try: a wait has none.
        const ended = { step: name, position, attempt: 0, state: 'done', result: found.result } as const;
        return { value, closing: [recordSteps(call, [ended]), endWait(call)] };
      },
    );
    // Thrown after the commit: the step's row stands, and its undo looks for what may have arrived all the same.
    if (looked === undefined) throw new LedgerFault('cancel-requested', `${about.operation} is to be cancelled`);
    switch (looked.kind) {
      case 'arrived':
        return looked;
      case 'closed':
        throw new Refused(looked.refusal);
      case 'open':
        return { kind: 'waiting', remaining: terms.remaining };
    }
  };
  return {
    step: (call) =>
      ledgerMove(async () => {
        const first = await look(call, false);
        if (first.kind === 'arrived' || first.remaining > 0) return first;
        await step.adopt(aboutOf(call));
        return await look(call, true);
      }),
    undo: outsideUndo(database, step.undo),
  };
}
