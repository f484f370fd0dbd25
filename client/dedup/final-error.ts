/**
 * An outcome that does not change by another try, such as a declined card. Thrown from what `once` runs, it is kept like
 * an answer, and every duplicate gets an equal one. Any other error is not kept, and the next call runs again.
 */
export class FinalError extends Error {
  override readonly name = 'FinalError';
  /** A JSON value for the callers. */
  readonly detail: unknown;

  constructor(message: string, detail: unknown = null) {
    super(message);
    this.detail = detail;
  }
}
