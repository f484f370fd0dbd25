import type { FailureCode } from '../../../workflows/operation/failures.ts';
import type { ProblemContext } from '../../../workflows/operation/answer.ts';
import type { Refusal } from '../../../workflows/operation/outcome.ts';

/** The operation that a problem is about, so that the caller can find it, and whether its key may begin a new one. */
type Subject = Omit<ProblemContext, 'requestId'>;

/** Thrown by routes and hooks. The error handler turns it into problem+json. */
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
