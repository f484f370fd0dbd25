/** The call was turned away before anything was done, for example by a rate limit. */
export class Throttled extends Error {
  override readonly name = 'Throttled';
  /** How long the outside asks us to wait; undefined if it does not say. Milliseconds. */
  readonly wait: number | undefined;
  constructor(message: string, wait: number | undefined) {
    super(message);
    this.wait = wait;
  }
}
