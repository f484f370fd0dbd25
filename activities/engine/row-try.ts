import type { StepCall, StepReply } from '../../workflows/operation/call.ts';
import type { About } from '../stores/about.ts';
import type { Database, Transaction } from '../stores/postgres/database.ts';
import { beginUndo, undoing } from '../stores/postgres/ledger/begin-undo.ts';
import { recordSteps } from '../stores/postgres/ledger/enter.ts';
import { stepResult } from '../stores/postgres/ledger/step-result.ts';
import { LedgerFault } from '../stores/postgres/ledger-fault.ts';
import { aboutOf } from './about-of.ts';
import type { StepActivity, UndoActivity } from './step-activities.ts';
import { translated } from './step-failure.ts';

/**
 * One try of a step whose effect is rows of ours. The ledger refuses a step that is done: an earlier try was committed
 * and its answer was lost. Its recorded result is then returned.
 * @param known checks a result that the ledger has recorded
 */
export function rowTry(
  database: Database,
  known: (recorded: unknown) => unknown,
  once: (call: StepCall) => Promise<StepReply>,
): StepActivity {
  return (call) =>
    translated(1, async () => {
      try {
        return await once(call);
      } catch (error) {
        if (error instanceof LedgerFault && error.code === 'done')
          return { result: known(await stepResult(database, call)) };
        throw error;
      }
    });
}

/** The undo of a step whose effect is rows of ours. It is committed together with its record. */
export function rowUndo(
  database: Database,
  undo: (tx: Transaction, about: About, result: unknown) => Promise<void>,
): UndoActivity {
  return (call) =>
    translated(1, async () =>
      database.transaction(call.operation.tenant, beginUndo(call), async (tx, opened) => {
        const row = undoing(opened.at(-1));
        if (row.kind === 'undone') return { value: { result: null }, closing: [] };
        await undo(tx, aboutOf(call), row.result);
        const { position, attempt } = row;
        return {
          value: { result: null },
          closing: [recordSteps(call, [{ step: call.step, position, attempt, state: 'undone', result: null }])],
        };
      }),
    );
}
