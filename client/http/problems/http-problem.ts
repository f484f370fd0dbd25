import type { FailureCode } from '../../../workflows/operation/failures.ts';
import type { ProblemContext } from '../../../workflows/operation/answer.ts';
import type { Refusal } from '../../../workflows/operation/outcome.ts';

/** The operation that a problem is about, so that the caller finds it again, and whether its key may begin anew. */
type Subject = Omit<ProblemContext, 'requestId'>;

/** Thrown by routes and hooks; the error handler makes problem+json of it. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly refusal: Refusal;
  readonly about: Subject;

  constructor(code: FailureCode, detail: string, more?: Readonly<Record<string, unknown>>, about: Subject = {}) {
    super(detail);
    this.refusal = { code, detail, ...(more === undefined ? {} : { more }) };
    this.about = about;
  }
}
