import type { StepCall } from '../../workflows/operation/call.ts';
import { stepKey, undoKey } from '../../workflows/operation/key.ts';
import type { About } from '../stores/about.ts';
import { EffectFree } from '../stores/outcomes/effect-free.ts';
import { HeldBack } from '../stores/outcomes/held-back.ts';
import { Throttled } from '../stores/outcomes/throttled.ts';
import type { Database } from '../stores/postgres/database.ts';
import { beginStep, begun } from '../stores/postgres/ledger/begin-step.ts';
import { beginUndo, undoing } from '../stores/postgres/ledger/begin-undo.ts';
import { enter, recordSteps } from '../stores/postgres/ledger/enter.ts';
import { nextEpoch, nextUndoEpoch } from '../stores/postgres/ledger/next-epoch.ts';
import { notTried, turnedAway } from '../stores/postgres/ledger/unsent.ts';
import { undoNotTried } from '../stores/postgres/ledger/undo-not-tried.ts';
import type { Sending, Undoing } from '../stores/sending.ts';
import { aboutOf } from './about-of.ts';
import { expectTurn } from './expect-turn.ts';
import { paced } from './paced.ts';
import { sendingOf } from './sending-of.ts';
import type { StepActivities, UndoActivity } from './step-activities.ts';
import { translated } from './step-failure.ts';

/**
 * An effect outside. The request is frozen with `sent`, and sent again under the same key until the outcome is known.
 */
export type OutsideStep<Input, Request, Result> = {
  readonly request: (input: Input, about: About) => Request;
  /**
   * @throws Refused when the outside has definitively said no
   * @throws EffectFree when the key is spent on a failure and a look-up has proven that nothing happened
   * @throws Throttled when the outside has turned the call away without doing anything
   * @throws anything else when the outcome is not known; the step is sent again
   */
  readonly send: (request: Request, about: Sending) => Promise<Result>;
  /**
   * Checks outside whether the step has happened with the result that a person gives. It has no effect.
   * @param said in the form of the declaration's `resolvedAs`
   * @returns the step's result
   * @throws Unconfirmed where the outside says otherwise
   */
  readonly check?: (said: Result, request: Request, about: Sending) => Promise<Result>;
  /**
   * `result` is null if nobody knows what became of the step.
   * @throws EffectFree when the undo's key is spent, and a look-up has proven that there is still something to undo
   */
  readonly undo?: (request: Request, result: Result | null, about: Undoing) => Promise<void>;
};

/** Makes the activities of a step whose effect is outside. */
export function outsideActivities<Input, Request, Result>(
  database: Database,
  step: OutsideStep<Input, Request, Result>,
): StepActivities<Input, Result> {
  const { request, send, undo, check } = step;
  return {
    kind: 'step',
    check:
      check &&
      (async (call, { request: asked, result, epoch, age, attempt }, guard) => {
        const sending = sendingOf(call, stepKey(call.operation.id, call.step, epoch), age, attempt);
        return await guard({ ...sending, kind: 'look' }, (signal) =>
          check(result as Result, asked as Request, { ...sending, signal }),
        );
      }),
    step: async (call, guard, schedule) => {
      const { tenant } = call.operation;
      const asked = request(call.input as Input, aboutOf(call));
      const row = await translated(1, async () =>
        begun((await database.flush(tenant, ...beginStep(call, asked))).at(-1)),
      );
      if (row.state === 'done') return { result: row.result };
      const { attempt, epoch, age, since, asked: wanted } = row;
      return await translated(attempt, async () => {
        const key = stepKey(call.operation.id, call.step, epoch);
        const sending = sendingOf(call, key, attempt === 1 ? 0 : age, attempt);
        try {
          if (schedule !== undefined) expectTurn(schedule, { sends: attempt, since, asked: wanted });
          const result = await guard({ ...sending, kind: attempt === 1 ? 'first' : 'retry' }, (signal) =>
            send(row.request as Request, { ...sending, signal }),
          );
          const { step: name, position } = call;
          const finished = { step: name, position, attempt, state: 'done', result: result ?? null } as const;
          if (!isUrgent(call, attempt)) return { result, finished };
          await database.flush(tenant, ...enter(call, { kind: 'record' }), recordSteps(call, [finished]));
          return { result };
        } catch (error) {
          const met = paced(error, schedule, attempt);
          if (error instanceof EffectFree) await database.flush(tenant, ...nextEpoch(call, attempt, epoch));
          if (error instanceof HeldBack) await database.flush(tenant, ...notTried(call, attempt));
          else if (met instanceof Throttled) await database.flush(tenant, ...turnedAway(call, attempt, met.wait ?? 0));
          throw met;
        }
      });
    },
    undo: undo && outsideUndo(database, undo),
  };
}

/**
 * Whether the result is recorded at once and not with the next step. This applies to what cannot be taken back, and to
 * what people have seen in trouble: nobody may be told otherwise in between.
 */
function isUrgent({ irreversible, again }: StepCall, attempt: number): boolean {
  return irreversible || again === true || attempt > 1;
}

/** Makes the undo of an effect outside. `request` is what was sent; `result` is null if nobody knows it. */
export function outsideUndo<Request, Result>(
  database: Database,
  undo: NonNullable<OutsideStep<never, Request, Result>['undo']>,
): UndoActivity {
  return (call, guard, schedule) =>
    translated(1, async () => {
      const row = undoing((await database.flush(call.operation.tenant, ...beginUndo(call))).at(-1));
      if (row.kind === 'undone') return { result: null };
      const { position, attempt, sends, epoch, undoEpoch, age, before } = row;
      const { id, tenant } = call.operation;
      const sending = sendingOf(call, undoKey(id, call.step, undoEpoch), age, attempt);
      try {
        const about = { ...sending, stepKey: stepKey(id, call.step, epoch) };
        await guard({ ...sending, kind: before === 'undoing' ? 'retry' : 'first' }, (signal) =>
          undo(row.request as Request, row.result as Result | null, { ...about, signal }),
        );
      } catch (error) {
        if (error instanceof HeldBack) await database.flush(tenant, ...undoNotTried(call, attempt, before));
        if (error instanceof EffectFree) await database.flush(tenant, ...nextUndoEpoch(call, attempt, undoEpoch));
        throw paced(error, schedule, sends);
      }
      return { result: null, finished: { step: call.step, position, attempt, state: 'undone', result: null } };
    });
}
