/** Sent and not answered, or answered in a way that proves nothing. The message is for people. */
export class Doubtful extends Error {
  override readonly name = 'Doubtful';
}
