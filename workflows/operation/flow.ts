import type { z } from 'zod';
import { addFailures, type FailureCode, type FailureRows, isFailureCode } from './failures.ts';
import { type AnswerCopies, copyFaults } from './answer-copies.ts';
import { type ContentKey, contentKeyFaults } from './content-key.ts';
import type { Retention } from './retention.ts';
import { retryFaults } from './retry-faults.ts';
import type { Retries } from './retry-schedule.ts';
import { sealFaults } from './seal-faults.ts';
import type { SettledState } from './state.ts';
import type { AwaitDeclaration, StepDeclaration } from './step-declaration.ts';
import { stepFaults } from './step-faults.ts';
import type { EventStart } from './event.ts';

/**
 * A flow is declared once. Its route, OpenAPI, client types, workflow registration, metric labels and fault matrix are
 * derived from the declaration.
 */

type Flow<
  Request extends z.ZodObject = z.ZodObject,
  Result extends z.ZodObject = z.ZodObject,
  Steps extends Readonly<Record<string, StepDeclaration>> = Readonly<Record<string, StepDeclaration>>,
> = {
  readonly name: string;
  /** Grows when the form of request or result changes; cached answers of another version are not served. */
  readonly version: number;
  readonly title: string;
  /** What callers should know before they call, for the API's documentation. */
  readonly description?: string;
  /**
   * The collection under /v1 to which a POST starts this flow, or a part of one, such as `orders/{orderId}/cancel`: what stands in
   * braces is a field of the request. Without it, no caller's request and no caller's key do: a route
   * of the flow's own makes both (`client/http/additions.ts`).
   */
  readonly route?: string;
  readonly request: Request;
  readonly result: Result;
  /** The fields that make two requests the same. */
  readonly intent: readonly (keyof z.input<Request> & string)[];
  /**
   * The fields that hold personal data or secrets. They are sealed before the request is stored, so ledger, story and
   * Temporal see only sealed text; an activity that needs the value opens it (`activities/seal/seals.ts`).
   */
  readonly sealed: readonly (keyof z.input<Request> & string)[];
  /**
   * The sealed fields that hold passwords. The claim of a new operation stores a slow hash in their place, and no story sees
   * them. Their own values enter the fingerprint only, as an HMAC.
   */
  readonly hashed: readonly (keyof z.input<Request> & string)[];
  /** Whether browsers without a user may begin it, with a token of `POST /v1/subjects`; by default they may not. */
  readonly anonymous?: boolean;
  readonly keyScope: 'subject' | 'tenant';
  /** `outcome`: the caller waits for the end. `state`: the caller gets the current state at once. */
  readonly answers: 'outcome' | 'state';
  /**
   * `tells`: Temporal tells the story, from its beginning. `never`: the flow is one step that writes rows of ours, and
   * it settles in the claim's own transaction, without a workflow.
   */
  readonly workflow: 'tells' | 'never';
  /** The event that begins it, where one does. The sender's id of the event is the key. */
  readonly on?: EventStart;
  /** The flow's own rows of the failure table. Flows may share a row, such as those of payments. */
  readonly failures?: FailureRows;
  /** The failure codes with which its steps can refuse, besides the ends that every flow has. */
  readonly refusals: readonly FailureCode[];
  /** The failure codes with which a deployment's own terms can refuse a request that would be new. */
  readonly declines?: readonly FailureCode[];
  /** After these ends the same key names a new generation instead of a replay. */
  readonly renewsAfter: readonly SettledState[];
  /**
   * How long the story may take before its first uncancellable step, counted from the claim and without its waits.
   * After that it is undone. Milliseconds.
   */
  readonly patience: number;
  /** How long an operation may be without progress before a person is asked for. Milliseconds. */
  readonly personAfter: number;
  /** How long an undo is tried before the operation ends as incomplete. Milliseconds. */
  readonly undoPatience: number;
  /**
   * When its steps outside are sent again, if their answers are not clear: `interactive` where a person waits for the
   * outcome, or pauses of its own. A flow without a step that `calls` an outside system has none.
   */
  readonly retries?: Retries;
  /** How long callers of this flow retry with the same key. Milliseconds. */
  readonly retryHorizon: number;
  readonly retention: Retention;
  /** Whether processes share copies of its settled answers in Redis, where there is one; by default they do not. */
  readonly copies?: AnswerCopies;
  /** Takes requests without a key: equal content of one caller is then one operation. By default such requests are refused. */
  readonly contentKey?: ContentKey;
  /**
   * For a flow whose caller writes to an outside store directly. This long after the end, what came too late is found
   * and removed. Milliseconds.
   */
  readonly sweepAfter?: number;
  readonly steps: Steps;
};

type Declaration<F extends Flow> = Omit<F, 'refusals' | 'sealed' | 'hashed'> & {
  /** By default all codes of `failures`. */
  readonly refusals?: readonly FailureCode[];
  /** By default none. */
  readonly sealed?: F['sealed'];
  /** By default none. */
  readonly hashed?: F['hashed'];
};

export type AnyFlow = Flow;
export type RequestOf<F extends AnyFlow> = z.output<F['request']>;
export type ResultOf<F extends AnyFlow> = z.output<F['result']>;
export type StepName<F extends AnyFlow> = keyof F['steps'] & string;
/** The steps that wait for something from outside. */
export type AwaitStep<F extends AnyFlow> = {
  [N in StepName<F>]: F['steps'][N] extends { readonly effect: 'await' } ? N : never;
}[StepName<F>];
/** The result of a step that waits: its evidence, in the declared form. */
export type EvidenceOf<F extends AnyFlow, N extends AwaitStep<F>> = F['steps'][N] extends {
  readonly evidence: infer E extends z.ZodObject;
}
  ? z.output<E>
  : never;
/** The waits, which need no activity of the flow's own to be done. */
export type DoneStep<F extends AnyFlow> = Exclude<StepName<F>, AwaitStep<F>>;
export type OptionalStep<F extends AnyFlow> = {
  [N in DoneStep<F>]: F['steps'][N] extends { readonly optional: object } ? N : never;
}[DoneStep<F>];

/** A flow's name is part of keys, ids and rows. It is a permanent contract. */
const flowName = /^[a-z][A-Za-z0-9]{0,30}$/;
/** @throws TypeError when the declaration contradicts itself, or could lose what it has done; one line for each fault */
export function defineFlow<
  const Request extends z.ZodObject,
  const Result extends z.ZodObject,
  const Steps extends Readonly<Record<string, StepDeclaration>>,
>(declaration: Declaration<Flow<Request, Result, Steps>>): Flow<Request, Result, Steps> {
  const { name, steps, intent, failures = {}, refusals = Object.keys(failures) as FailureCode[] } = declaration;
  if (!flowName.test(name))
    throw new TypeError(
      `Flow name ${name} must match ${flowName.source}: it stands in workflow ids. Mend its declaration.`,
    );
  if (intent.length === 0)
    throw new TypeError(
      `Flow ${name} declares no intent: two requests could not be told apart. Name fields of its request in workflows/${name}.flow.ts.`,
    );
  addFailures(failures);
  const unknown = refusals.filter((code) => !isFailureCode(code));
  if (unknown.length > 0)
    throw new TypeError(
      `Flow ${name} refuses with ${unknown.join(', ')}, which no failure table has: add a row to its \`failures\` in workflows/${name}.flow.ts.`,
    );
  const { sealed = [], hashed = [] } = declaration;
  const faults = [
    ...sealFaults(name, sealed, { ...declaration, hashed }),
    ...stepFaults(name, steps, declaration.patience),
    ...retryFaults(name, steps, declaration.retries, declaration.patience),
    ...(declaration.workflow === 'never' ? untoldFaults(declaration) : []),
    ...copyFaults(declaration),
    ...contentKeyFaults(declaration),
  ];
  if (faults.length > 0) throw new TypeError([...faults, `Mend it in workflows/${name}.flow.ts.`].join('\n'));
  return { ...declaration, refusals, sealed, hashed };
}

/** What settles in its claim's transaction is that transaction's rows, and nothing else. */
function untoldFaults({ name, steps, renewsAfter }: Pick<AnyFlow, 'name' | 'steps' | 'renewsAfter'>): string[] {
  const declared = Object.values(steps);
  const isOne = declared.length === 1 && declared[0]?.effect === 'transaction';
  return [
    ...(isOne
      ? []
      : [
          `Flow ${name} has no workflow, and so it is one step that writes rows of ours: declare just that one, or let ` +
            `Temporal tell the flow (workflow: 'tells').`,
        ]),
    ...(renewsAfter.length === 0
      ? []
      : [
          `Flow ${name} has no workflow, and keeps nothing where its moment was wrong: leave \`renewsAfter\` empty, and ` +
            `refuse by a code that is not stored.`,
        ]),
  ];
}

/** A flow that callers start with a key of theirs. */
export type PostedFlow = AnyFlow & { readonly route: string };

export function isPosted(flow: AnyFlow): flow is PostedFlow {
  return flow.route !== undefined;
}

/** The wait that an operation of the flow begins with: its claim is then `waiting`. */
export function firstWait({ steps }: AnyFlow): AwaitDeclaration | undefined {
  const [first] = Object.values(steps);
  return first?.effect === 'await' ? first : undefined;
}

/** The longest that an operation may take, with all its waits and undos. Milliseconds. */
export function longestRun({ steps, patience, undoPatience }: AnyFlow): number {
  const waits = Object.values(steps).map((step) => (step.effect === 'await' ? step.patience : 0));
  return waits.reduce((sum, wait) => sum + wait, patience + undoPatience);
}
