import type { FailureCode } from '../../workflows/operation/failures.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';

/** Thrown by routes and hooks; the error handler makes problem+json of it. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly refusal: Refusal;
  /** The operation that the problem is about, so that the caller finds it again. */
  readonly operation: string | undefined;

  constructor(code: FailureCode, detail: string, more?: Readonly<Record<string, unknown>>, operation?: string) {
    super(detail);
    this.refusal = { code, detail, ...(more === undefined ? {} : { more }) };
    this.operation = operation;
  }
}
