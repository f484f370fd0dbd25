/** What a person has said of a step is not so. The message is for people. */
export class Unconfirmed extends Error {
  override readonly name = 'Unconfirmed';
}
