/** The call was sent and not answered, or the answer proves nothing. The message is for people. */
export class Doubtful extends Error {
  override readonly name = 'Doubtful';
}
