import { ApplicationFailure, Context } from '@temporalio/activity';
import type { Hold, StepCall, StepReply, Thrown, UndoCall } from '../../workflows/operation/call.ts';
import { stepKey, undoKey } from '../../workflows/operation/key.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import {
  type About,
  EffectFree,
  type Recording,
  Refused,
  type Sending,
  Stopped,
  Throttled,
  type Undoing,
} from '../stores/effect.ts';
import { beginStep, begun } from '../stores/postgres/ledger/begin-step.ts';
import { beginUndo, undoing } from '../stores/postgres/ledger/begin-undo.ts';
import type { Database, Row, Statement, Transaction } from '../stores/postgres/database.ts';
import { recordSteps } from '../stores/postgres/ledger/enter.ts';
import type { SaidDone } from '../stores/postgres/ledger/resolutions/pending-resolution.ts';
import { LedgerFault } from '../stores/postgres/ledger-fault.ts';
import { nextEpoch, nextUndoEpoch } from '../stores/postgres/ledger/next-epoch.ts';
import { settle } from '../stores/postgres/ledger/settle.ts';
import { stepResult } from '../stores/postgres/ledger/step-result.ts';
import { unsent } from '../stores/postgres/ledger/unsent.ts';

/** An effect that is rows of ours: committed together with the step's own row, in one flush. */
export type TransactionStep<Input> = {
  /**
   * One statement that does all of the effect or nothing. Where it has, its row has a column `done`: what `step_done()`
   * gives, which it hands the step's result. No result of the effect is ever without its record, nor the other way round.
   */
  readonly effect: (input: Input, about: Recording) => Statement;
  /**
   * Why nothing was done, from the statement's row; `ask` looks further.
   * @throws where there is no reason that a caller could have given: a bug of ours
   */
  readonly refusal: (row: Row | undefined, input: Input, about: About, ask: Ask) => Promise<Refusal> | Refusal;
  readonly undo?: (tx: Transaction, about: About) => Promise<void>;
};

/** An effect outside: what is sent is frozen with `sent`, and sent again under the same key until the outcome is known. */
export type OutsideStep<Input, Request, Result> = {
  readonly request: (input: Input, about: About) => Request;
  /**
   * @throws Refused when the outside has definitively said no
   * @throws EffectFree when the key is spent on a failure and a look-up has proven that nothing happened
   * @throws Throttled when the outside has turned the call away without doing anything
   * @throws anything else when the outcome is not known: it is asked for again
   */
  readonly send: (request: Request, about: Sending) => Promise<Result>;
  /**
   * Looks outside whether the step has happened and given what a person says, and never acts.
   * @param said in the form of the declaration's `resolvedAs`
   * @returns the step's result
   * @throws Unconfirmed where the outside says otherwise
   */
  readonly check?: (said: Result, request: Request, about: Sending) => Promise<Result>;
  /**
   * `result` is null where nobody knows what became of the step.
   * @throws EffectFree when the undo's key is spent, and a look-up has proven that there is still something to undo
   */
  readonly undo?: (request: Request, result: Result | null, about: Undoing) => Promise<void>;
};

type Ask = (...statements: Statement[]) => Promise<Row[][]>;
type Activity = (call: StepCall) => Promise<StepReply>;
type UndoActivity = (call: UndoCall) => Promise<StepReply>;
export type StepActivities = {
  readonly step: Activity;
  readonly undo: UndoActivity | undefined;
  /** Looks whether what a person says of the step is so; undefined where it cannot be looked for. */
  readonly check?: ((call: StepCall, said: SaidDone) => Promise<unknown>) | undefined;
};

/** Makes the activities of a step whose effect is rows of ours. */
export function transactionActivities<Input>(database: Database, step: TransactionStep<Input>): StepActivities {
  const { effect, refusal, undo } = step;
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
    if (done) return { result: done.result };
    const { attempt } = begun(rows[begin.length - 1]);
    return await translated(attempt, async () => {
      throw new Refused(await refusal(row, input, about, ask));
    });
  };
  return {
    step: (call) =>
      translated(1, async () => {
        try {
          return await once(call);
        } catch (error) {
          // Committed by a former try whose answer was lost.
          if (error instanceof LedgerFault && error.code === 'done')
            return { result: await stepResult(database, call) };
          throw error;
        }
      }),
    undo:
      undo &&
      ((call) =>
        translated(1, async () =>
          database.transaction(call.operation.tenant, beginUndo(call), async (tx, opened) => {
            const row = undoing(opened.at(-1));
            if (row.kind === 'undone') return { value: { result: null }, closing: [] };
            await undo(tx, aboutOf(call));
            const { position, attempt } = row;
            return {
              value: { result: null },
              closing: [recordSteps(call, [{ step: call.step, position, attempt, state: 'undone', result: null }])],
            };
          }),
        )),
  };
}

/** Makes the activities of a step whose effect is outside. */
export function outsideActivities<Input, Request, Result>(
  database: Database,
  step: OutsideStep<Input, Request, Result>,
): StepActivities {
  const { request, send, undo, check } = step;
  return {
    check:
      check &&
      (async (call, { request: asked, result, epoch, age, attempt }) => {
        const key = stepKey(call.operation.id, call.step, epoch);
        return await check(result as Result, asked as Request, sendingOf(call, key, age, attempt));
      }),
    step: async (call) => {
      const { tenant } = call.operation;
      const asked = request(call.input as Input, aboutOf(call));
      const row = await translated(1, async () =>
        begun((await database.flush(tenant, ...beginStep(call, asked))).at(-1)),
      );
      if (row.state === 'done') return { result: row.result };
      const { attempt, epoch, age } = row;
      return await translated(attempt, async () => {
        const key = stepKey(call.operation.id, call.step, epoch);
        try {
          const result = await send(row.request as Request, sendingOf(call, key, attempt === 1 ? 0 : age, attempt));
          return {
            result,
            finished: { step: call.step, position: call.position, attempt, state: 'done', result: result ?? null },
          };
        } catch (error) {
          if (error instanceof EffectFree) await database.flush(tenant, ...nextEpoch(call, attempt, epoch));
          if (error instanceof Throttled) await database.flush(tenant, ...unsent(call, attempt));
          throw error;
        }
      });
    },
    undo: undo && outsideUndo(database, undo),
  };
}

/** Makes the undo of an effect that is outside. `request` is what was sent, `result` null where nobody knows. */
export function outsideUndo<Request, Result>(
  database: Database,
  undo: NonNullable<OutsideStep<never, Request, Result>['undo']>,
): UndoActivity {
  return (call) =>
    translated(1, async () => {
      const row = undoing((await database.flush(call.operation.tenant, ...beginUndo(call))).at(-1));
      if (row.kind === 'undone') return { result: null };
      const { position, attempt, epoch, undoEpoch, age } = row;
      const { id, tenant } = call.operation;
      const sending = sendingOf(call, undoKey(id, call.step, undoEpoch), age, attempt);
      try {
        const about = { ...sending, stepKey: stepKey(id, call.step, epoch) };
        await undo(row.request as Request, row.result as Result | null, about);
      } catch (error) {
        if (error instanceof EffectFree) await database.flush(tenant, ...nextUndoEpoch(call, attempt, undoEpoch));
        throw error;
      }
      return { result: null, finished: { step: call.step, position, attempt, state: 'undone', result: null } };
    });
}

export function aboutOf({ operation }: Hold): About {
  return { operation: operation.id, tenant: operation.tenant, environment: operation.environment };
}

/** Leaves the try 10 % of its time for what follows the answer. */
const ownTime = 0.9;

function sendingOf(call: StepCall | UndoCall, key: string, age: number, attempt: number): Sending {
  const { info, cancellationSignal } = Context.current();
  const timeout = Math.floor((info.startToCloseTimeoutMs || info.scheduleToCloseTimeoutMs) * ownTime);
  return { ...aboutOf(call), key, age, attempt, timeout, signal: cancellationSignal };
}

/** Failures cross Temporal's boundary by name: what is definitive is not tried again, everything else is. */
async function translated<T>(attempt: number, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw failureOf(error, attempt);
  }
}

function failureOf(error: unknown, attempt: number): unknown {
  if (error instanceof ApplicationFailure) return error;
  if (error instanceof Refused) return named('refused', error, [error.refusal, attempt]);
  if (error instanceof LedgerFault)
    switch (error.code) {
      case 'fenced':
      case 'settled':
      case 'cancel-requested':
      case 'impatient':
      case 'held-before':
        return named(error.code, error);
      case 'done':
      case 'missing':
      case 'constraint':
      case 'broken':
      case 'unavailable':
        return error;
    }
  if (error instanceof Throttled)
    return ApplicationFailure.create({
      message: error.message,
      type: 'throttled',
      category: 'BENIGN',
      // A workflow is given the details alone.
      details: [error.wait ?? null],
      ...(error.wait === undefined ? {} : { nextRetryDelay: error.wait }),
    });
  if (error instanceof Stopped) return named('stopped', error, [error.ending]);
  return error;
}

function named(type: Thrown, error: Error, details: unknown[] = []): ApplicationFailure {
  // An answer like any other: no line in the log of what goes wrong.
  return ApplicationFailure.create({ message: error.message, type, nonRetryable: true, details, category: 'BENIGN' });
}

/** For the ledger's own moves, which throw the same names. */
export async function ledgerMove<T>(work: () => Promise<T>): Promise<T> {
  return await translated(1, work);
}
