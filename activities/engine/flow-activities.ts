import type { AnyFlow, StepName } from '../../workflows/operation/flow.ts';
import type { Database } from '../stores/postgres/database.ts';
import { type Activity, namedActivities } from './named-activities.ts';
import type { StepActivities, WaitActivities } from './step-activities.ts';
import type { SystemGuards } from './system-guards.ts';

/** The worker that runs a step. */
type WorkerOf<Step> = Step extends { readonly placement: 'media' } ? 'media' : 'operations';

/** The steps of a flow that one worker runs, each with the kind of activities that its declaration asks for. */
type StepsOn<F extends AnyFlow, W extends 'operations' | 'media'> = {
  readonly [N in StepName<F> as WorkerOf<F['steps'][N]> extends W ? N : never]: F['steps'][N] extends {
    readonly effect: 'await';
  }
    ? WaitActivities
    : StepActivities;
};

/** What each step of a flow takes and gives, from its activities. A story is told with it. */
export type SignaturesOf<Steps> = {
  readonly [N in keyof Steps as Steps[N] extends WaitActivities ? never : N]: Steps[N] extends StepActivities<
    infer Input,
    infer Result
  >
    ? { readonly input: Input; readonly result: Result }
    : never;
};

type Exactly<S, Declared> = S & Readonly<Record<Exclude<keyof S, keyof Declared>, never>>;

/** A flow's activities on the worker for operations: a step that is missing, or one too many, does not compile. */
export function stepsOf<F extends AnyFlow>() {
  return <const S extends StepsOn<F, 'operations'>>(steps: Exactly<S, StepsOn<F, 'operations'>>): S => steps;
}

/** Likewise on the worker for media. */
export function mediaStepsOf<F extends AnyFlow>() {
  return <const S extends StepsOn<F, 'media'>>(steps: Exactly<S, StepsOn<F, 'media'>>): S => steps;
}

/** How the steps of one flow are done on one worker, by name. */
export type MadeSteps = Readonly<Record<string, StepActivities | WaitActivities>>;

/** @throws TypeError where the activities of a step cannot do what its declaration promises */
function expectKept({ name, steps }: AnyFlow, step: string, made: StepActivities | WaitActivities): void {
  const declared = steps[step];
  const at = `Step ${name}.${step}`;
  if (declared?.undo === 'own' && made.undo === undefined)
    throw new TypeError(
      `${at} declares an undo of its own and has none: give its activities an \`undo\`, or declare another.`,
    );
  if (declared?.resolvedAs !== undefined && (made.kind === 'wait' || made.check === undefined))
    throw new TypeError(
      `${at} declares \`resolvedAs\` and has no \`check\`: nothing could look whether a person is right.`,
    );
}

/**
 * The activities of all flows that a worker runs.
 * @throws TypeError where a step lacks what its declaration promises, or calls a system that nobody knows
 */
export function activitiesOf(
  database: Database,
  flows: readonly { readonly flow: AnyFlow; readonly made: MadeSteps }[],
  guards: SystemGuards,
): Record<string, Activity> {
  const activities: Record<string, Activity> = {};
  for (const { flow, made } of flows) {
    for (const [name, one] of Object.entries(made)) expectKept(flow, name, one);
    Object.assign(
      activities,
      namedActivities(
        database,
        flow.name,
        made,
        (step) => guards.of(flow, step),
        (step) => guards.scheduleOf(flow, step),
      ),
    );
  }
  return activities;
}
