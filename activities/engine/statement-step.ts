import type { z } from 'zod';
import type { StepCall, StepReply } from '../../workflows/operation/call.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import type { About } from '../stores/about.ts';
import { Refused } from '../stores/outcomes/refused.ts';
import type { Database, Row, Statement, Transaction } from '../stores/postgres/database.ts';
import { beginStep, begun } from '../stores/postgres/ledger/begin-step.ts';
import { settle } from '../stores/postgres/ledger/settle.ts';
import { aboutOf } from './about-of.ts';
import { rowTry, rowUndo } from './row-try.ts';
import type { StepActivities } from './step-activities.ts';
import { translated } from './step-failure.ts';

/**
 * Writes rows of ours by one statement. Fence, effect, record and commit are a single flush. A step that needs several
 * statements, or a query builder, is a RowStep.
 */
export type StatementStep<Input, Result> = {
  /**
   * One statement that does all of the effect or nothing. It calls `step_done()` with the step's result, and returns
   * what that gives as the column `done`. So an effect never stands without its record, nor a record without its
   * effect.
   */
  readonly effect: (input: Input, about: Recording) => Statement;
  /** What the statement passes to `step_done()`. Nothing of another form reaches the story. */
  readonly result: z.ZodType<Result>;
  /**
   * Why nothing was done, from the statement's row; `ask` looks further.
   * @throws when no caller could have caused it: a bug of ours
   */
  readonly refusal: (row: Row | undefined, input: Input, about: About, ask: Ask) => Promise<Refusal> | Refusal;
  readonly undo?: (tx: Transaction, about: About) => Promise<void>;
};

/** `step` is the name under which the statement records itself. */
type Recording = About & { readonly step: string };

type Ask = (...statements: Statement[]) => Promise<Row[][]>;

/** Makes the activities of a step that is one statement. */
export function statementActivities<Input, Result>(
  database: Database,
  step: StatementStep<Input, Result>,
): StepActivities<Input, Result> {
  const { effect, result, refusal, undo } = step;
  const once = async (call: StepCall): Promise<StepReply> => {
    const { operation, settlement } = call;
    const input = call.input as Input;
    const about = aboutOf(call);
    const ask: Ask = (...statements) => database.flush(operation.tenant, ...statements);
    const begin = beginStep(call, input);
    const acted = [...begin, effect(input, { ...about, step: call.step })];
    const settled = settlement === undefined ? [] : [settle(operation, settlement, call.step)];
    const rows = await ask(...acted, ...settled);
    const row = rows[acted.length - 1]?.[0];
    const done = row?.done as { readonly result: unknown } | null | undefined;
    if (done) return { result: result.parse(done.result) };
    const { attempt } = begun(rows[begin.length - 1]);
    return await translated(attempt, async () => {
      throw new Refused(await refusal(row, input, about, ask));
    });
  };
  return {
    kind: 'step',
    step: rowTry(database, (recorded) => result.parse(recorded), once),
    undo: undo && rowUndo(database, undo),
  };
}
