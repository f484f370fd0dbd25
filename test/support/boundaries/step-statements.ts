import type { Statement } from '../../../activities/stores/postgres/database.ts';
import { beginStep } from '../../../activities/stores/postgres/ledger/begin-step.ts';
import { beginUndo } from '../../../activities/stores/postgres/ledger/begin-undo.ts';
import { lookAtWait } from '../../../activities/stores/postgres/ledger/begin-wait.ts';
import { enter, recordSteps } from '../../../activities/stores/postgres/ledger/enter.ts';
import type { Finished } from '../../../workflows/operation/call.ts';

/** Which step of which operation a statement is about. */
type AboutStep = { readonly operation: string; readonly step: string };

/** Values that no other parameter has: where the ledger puts them shows where it puts the step of any call. */
const marks = { operation: 'the operation', step: 'theStep' };
const call = {
  operation: { id: marks.operation, tenant: 'a tenant', environment: 'test', flow: 'a flow' },
  ...{ step: marks.step, position: 0, fence: 1, carry: [], patience: 1, personAfter: 1, same: [] },
} as const;
const tried = { input: null, effect: 'transaction', noReturn: false, irreversible: false } as const;
const ended: Finished = { step: marks.step, position: 0, attempt: 1, state: 'done', result: null };

/** Stands before whatever a run does, and may name the step too. */
const [entered] = enter(call, { kind: 'proceed' });

type Reader = (statement: Statement) => AboutStep | undefined;

/** Reads, from the statement that the ledger's own function marks with a step, what it is about. */
function readerOf(statements: readonly Statement[]): Reader {
  const marked = statements.find(({ name, values }) => name !== entered?.name && values.includes(marks.step));
  if (marked === undefined || !marked.values.includes(marks.operation))
    throw new Error('No statement of the ledger names the step and its operation: learn here how it does now');
  const [operation, step] = [marked.values.indexOf(marks.operation), marked.values.indexOf(marks.step)];
  return ({ name, values }) =>
    name === marked.name ? { operation: String(values[operation]), step: String(values[step]) } : undefined;
}

export const stepBegun = readerOf(beginStep({ ...call, ...tried }, null));
export const undoBegun = readerOf(beginUndo(call));
export const waitBegun = readerOf(lookAtWait(call, false));

const record = recordSteps(call, [ended]);
const listed = record.values.findIndex((value) => typeof value === 'string' && value.includes(marks.step));

/** @returns the steps that a statement records as ended */
export function stepsEnded({ name, values }: Statement): readonly Finished[] {
  return name === record.name ? (JSON.parse(String(values[listed])) as Finished[]) : [];
}
