import type { z } from 'zod';
import type { FailureCode } from './failures.ts';
import type { Retention } from './retention.ts';
import type { SettledState } from './state.ts';

/**
 * A flow is declared once. Its route, OpenAPI, client types, workflow registration, metric labels and fault matrix are
 * derived from the declaration.
 */

export type StepDeclaration = {
  /**
   * How the effect is made to happen once: `transaction` (rows of ours, committed together with the step's row),
   * `keyed` (an outside system that honours the downstream key), `natural` (idempotent as it is).
   */
  readonly effect: 'transaction' | 'keyed' | 'natural';
  /** Shown to people while the step runs. */
  readonly says: string;
  /** `compensated`: it has an undo of its own. A step's name: that step's undo covers this one. `none`: nothing to undo. */
  readonly undo: 'compensated' | 'none' | { readonly coveredBy: string };
  /** Once sent the operation only goes forward, unless this step is proven to have had no effect. */
  readonly noReturn?: true;
  /** `ledger` and `provider` run beside the workflow; `media` runs in the worker for CPU and bytes. */
  readonly placement: 'ledger' | 'provider' | 'bytes' | 'media';
  /** Its failure is recorded and listed, and the story goes on. */
  readonly optional?: true;
};

export type Flow<
  Request extends z.ZodObject = z.ZodObject,
  Result extends z.ZodObject = z.ZodObject,
  Steps extends Readonly<Record<string, StepDeclaration>> = Readonly<Record<string, StepDeclaration>>,
> = {
  readonly name: string;
  /** Grows when the form of request or result changes; cached answers of another version are not served. */
  readonly version: number;
  readonly title: string;
  /** What its callers should know before they ask, for the API's documentation. */
  readonly description?: string;
  /** The collection under /v1 that a POST starts this flow at. */
  readonly route: string;
  readonly request: Request;
  readonly result: Result;
  /** The fields that make two requests the same; everything but declared volatile fields. */
  readonly intent: readonly (keyof z.input<Request> & string)[];
  readonly keyScope: 'subject' | 'tenant';
  /** `outcome`: the caller waits for the end. `state`: the caller is told the current state at once. */
  readonly answers: 'outcome' | 'state';
  readonly execution: 'workflow';
  /** What its steps can refuse an operation for: rows of the failure table, besides the ends that every flow has. */
  readonly refusals: readonly FailureCode[];
  /** After these ends the same key names a new generation instead of a replay. */
  readonly renewsAfter: readonly SettledState[];
  /**
   * How long the story may take before the point of no return, counted from the claim or from what its caller has brought;
   * then it is undone. Milliseconds.
   */
  readonly patience: number;
  /** How long an undo is tried before the operation is shown to people as incomplete. Milliseconds. */
  readonly undoPatience: number;
  /** How long callers of this flow retry with the same key. Milliseconds. */
  readonly retryHorizon: number;
  readonly retention: Retention;
  /**
   * For a flow whose caller writes to an outside store by itself: this long after the end, what came too late is looked
   * for and removed. Milliseconds.
   */
  readonly sweepAfter?: number;
  readonly steps: Steps;
};

export type AnyFlow = Flow;
export type RequestOf<F extends AnyFlow> = z.output<F['request']>;
export type ResultOf<F extends AnyFlow> = z.output<F['result']>;
export type StepName<F extends AnyFlow> = keyof F['steps'] & string;

/** A flow's name is part of keys, ids and rows, and what its story is exported as: a permanent contract. */
const flowName = /^[a-z][A-Za-z0-9]{0,30}$/;
/** Step names stand in downstream keys at providers: a permanent contract too. */
const stepName = /^[a-z][A-Za-z0-9]{0,40}$/;

/** @throws TypeError when the declaration contradicts itself */
export function defineFlow<
  const Request extends z.ZodObject,
  const Result extends z.ZodObject,
  const Steps extends Readonly<Record<string, StepDeclaration>>,
>(declaration: Flow<Request, Result, Steps>): Flow<Request, Result, Steps> {
  const { name, steps, intent } = declaration;
  if (!flowName.test(name)) throw new TypeError(`Flow name ${name} must match ${flowName.source}`);
  if (intent.length === 0) throw new TypeError(`Flow ${name} declares no intent: two requests could not be told apart`);
  for (const [step, { undo, noReturn, optional }] of Object.entries(steps)) {
    if (!stepName.test(step)) throw new TypeError(`Step name ${name}.${step} must match ${stepName.source}`);
    if (typeof undo === 'object' && steps[undo.coveredBy]?.undo !== 'compensated')
      throw new TypeError(`Step ${name}.${step} is covered by ${undo.coveredBy}, which has no undo of its own`);
    if (noReturn && optional) throw new TypeError(`Step ${name}.${step} cannot be optional and the point of no return`);
  }
  return declaration;
}
