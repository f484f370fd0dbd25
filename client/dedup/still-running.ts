/** The id is held by another call that has not ended within the wait. Ask again with the same id. */
export class StillRunning extends Error {
  override readonly name = 'StillRunning';
  readonly id: string;
  /** Whether this call has run too: it was silent for longer than its lease, and another one has taken over. */
  readonly hasRun: boolean;

  constructor(id: string, hasRun: boolean) {
    const what = hasRun
      ? 'This call has run, but was silent for longer than its lease, and its answer was not kept.'
      : 'Nothing was run by this call.';
    super(`${id} is under way elsewhere, or its holder has died: ask again with the same id. ${what}`);
    this.id = id;
    this.hasRun = hasRun;
  }
}
