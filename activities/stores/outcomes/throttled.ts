/** Turned away before anything was done, such as by a limit on requests. */
export class Throttled extends Error {
  override readonly name = 'Throttled';
  /** How long the outside asks us to wait; undefined where it says nothing of use. Milliseconds. */
  readonly wait: number | undefined;
  constructor(message: string, wait: number | undefined) {
    super(message);
    this.wait = wait;
  }
}
