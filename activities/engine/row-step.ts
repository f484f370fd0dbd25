import type { StepCall, StepReply } from '../../workflows/operation/call.ts';
import type { About } from '../stores/about.ts';
import { Refused } from '../stores/outcomes/refused.ts';
import { ownQueries } from '../stores/postgres/callback/own-queries.ts';
import type { RowClient } from '../stores/postgres/callback/row-client.ts';
import type { Database } from '../stores/postgres/database.ts';
import { beginStep, begun } from '../stores/postgres/ledger/begin-step.ts';
import { dropEffect, markEffect, recordResult } from '../stores/postgres/ledger/record-result.ts';
import { settle } from '../stores/postgres/ledger/settle.ts';
import { aboutOf } from './about-of.ts';
import type { Json } from './json.ts';
import { rowTry, rowUndo } from './row-try.ts';
import type { StepActivities } from './step-activities.ts';
import { translated } from './step-failure.ts';

/** Writes rows of ours by code, inside the ledger's transaction. */
export type RowStep<Input, Result extends Json> = {
  /**
   * Reads and writes rows through `tx`, by `tx.query` or a query builder. All of it is committed together with the
   * step's record, or nothing is. It may run again, so it has no effect outside the transaction. It does not begin,
   * commit or roll back, it awaits each query, and a query that has failed cannot be made good by catching the error.
   * @throws Refused to refuse: its writes are rolled back, and the step has failed
   * @throws any other error when something went wrong: everything is rolled back, and the step is tried again
   */
  readonly run: (tx: RowClient, input: Input, about: About) => Promise<Result>;
  /** Takes the rows back, under the same rules. `result` is null if the step was begun and not done. */
  readonly undo?: (tx: RowClient, result: Result | null, about: About) => Promise<void>;
};

/** A step of several statements, or of a query builder. One statement alone is quicker as a StatementStep. */
export function rowStep<Input, Result extends Json>(step: RowStep<Input, Result>): RowStep<Input, Result> {
  return step;
}

type Tried = { readonly refused: Refused; readonly attempt: number } | { readonly refused: undefined; result: unknown };

/** Makes the activities of a step that runs code of its own. */
export function rowActivities<Input, Result extends Json>(
  database: Database,
  { run, undo }: RowStep<Input, Result>,
): StepActivities<Input, Result> {
  const once = async (call: StepCall): Promise<StepReply> => {
    const { operation, settlement } = call;
    const begin = beginStep(call, call.input);
    const opening = [...begin, markEffect];
    const tried = await database.transaction<Tried>(operation.tenant, opening, async (tx, opened) => {
      try {
        const result = await ownQueries(tx, (client) => run(client, call.input as Input, aboutOf(call)));
        const settled = settlement === undefined ? [] : [settle(operation, settlement, call.step)];
        return { value: { refused: undefined, result }, closing: [recordResult(call, result), ...settled] };
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        await tx.run(dropEffect);
        // The beginning of the step is committed even after a refusal, since it may have opened the operation.
        return { value: { refused: error, attempt: begun(opened[begin.length - 1]).attempt }, closing: [] };
      }
    });
    if (tried.refused === undefined) return { result: asKept(tried.result) };
    const { refused, attempt } = tried;
    return await translated(attempt, () => Promise.reject(refused));
  };
  return {
    kind: 'step',
    step: rowTry(database, (recorded) => recorded, once),
    undo:
      undo &&
      rowUndo(database, (tx, about, result) =>
        ownQueries(tx, (client) => undo(client, result as Result | null, about)),
      ),
  };
}

/** The same form that a later look into the ledger gives. */
function asKept(result: unknown): unknown {
  return JSON.parse(JSON.stringify(result ?? null));
}
