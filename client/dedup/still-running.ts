/** The id is held by another call that has not ended within the wait. Ask again with the same id. */
export class StillRunning extends Error {
  override readonly name = 'StillRunning';
  readonly id: string;

  constructor(id: string) {
    super(
      `${id} is under way elsewhere, or its holder has died: ask again with the same id. Nothing was run by this call.`,
    );
    this.id = id;
  }
}
