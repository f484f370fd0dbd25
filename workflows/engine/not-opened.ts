/**
 * The first step could not take the operation over. The run takes it over by a move of its own, and the story is told
 * again from its start.
 */
export class NotOpened extends Error {
  override readonly name = 'NotOpened';
}
