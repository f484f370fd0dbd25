import { type Action, type FailureCode, failure, type Renewable } from './failures.ts';
import type { Outcome, Refusal } from './outcome.ts';

/** HTTP is rendered here and nowhere else: an operation's answer when it settles, and the problems of requests. */

/** An answer as it is stored and replayed, byte for byte. */
type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** The answer of an operation that has ended, as it is stored. */
export function answerOf(operation: string, outcome: Outcome, context: Omit<ProblemContext, 'operation'>): Answer {
  return outcome.state === 'succeeded'
    ? successAnswer(operation, outcome.result)
    : problemAnswer(outcome.refusal, { ...context, operation });
}

/** The answer of an operation that succeeded: 201, since the operation is a resource that was created. */
function successAnswer(operation: string, result: Readonly<Record<string, unknown>>): Answer {
  return {
    status: 201,
    headers: { 'content-type': 'application/json; charset=utf-8', location: operationUrl(operation) },
    body: JSON.stringify({ id: operation, state: 'succeeded', ...result }),
  };
}

export function operationUrl(operation: string): string {
  return `/v1/operations/${operation}`;
}

export function problemUrl(code: FailureCode): string {
  return `/problems/${code}`;
}

/** RFC 9457, with the members that tell a program what it may do next. */
export type Problem = {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: FailureCode;
  readonly retryable: boolean;
  readonly sameKeySafe: boolean;
  readonly retryAfter?: number;
  readonly action: Action;
  readonly operationUrl?: string;
  readonly docUrl: string;
  readonly requestId: string;
  readonly [member: string]: unknown;
};

export type ProblemContext = {
  readonly requestId: string;
  readonly operation?: string | undefined;
  readonly renewable?: Renewable | undefined;
  /** The status, where a protocol asks for another than the failure table has. */
  readonly status?: number | undefined;
  /** The problem type, where a standard has one of its own. */
  readonly type?: string | undefined;
};

export function problem(refusal: Refusal, context: ProblemContext): Problem {
  const { status, title, retryable, sameKeySafe, action, retryAfter, cause } = failure(refusal.code, context.renewable);
  return {
    type: context.type ?? problemUrl(refusal.code),
    title,
    status: context.status ?? status,
    detail: refusal.detail,
    code: refusal.code,
    retryable,
    sameKeySafe,
    ...(retryAfter === undefined ? {} : { retryAfter }),
    action,
    ...(cause === undefined ? {} : { cause }),
    ...(context.operation === undefined ? {} : { operationUrl: operationUrl(context.operation) }),
    docUrl: problemUrl(refusal.code),
    requestId: context.requestId,
    ...refusal.more,
  };
}

export function problemAnswer(refusal: Refusal, context: ProblemContext): Answer {
  const body = problem(refusal, context);
  return {
    status: body.status,
    headers: {
      'content-type': 'application/problem+json; charset=utf-8',
      ...(context.operation === undefined ? {} : { location: operationUrl(context.operation) }),
      ...(body.retryAfter === undefined ? {} : { 'retry-after': String(body.retryAfter) }),
    },
    body: JSON.stringify(body),
  };
}

/** The result of an operation, read from its stored answer. There is no other way to read it. */
export function resultOf(body: string): Readonly<Record<string, unknown>> {
  const { id: _id, state: _state, ...result } = JSON.parse(body) as Record<string, unknown>;
  return result;
}
