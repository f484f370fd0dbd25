/** The first step has not taken the operation over: that is then a move of its own, and the story is told from its start. */
export class NotOpened extends Error {
  override readonly name = 'NotOpened';
}
