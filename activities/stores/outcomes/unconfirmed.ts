/** What a person has said of a step does not hold. The message is for people. */
export class Unconfirmed extends Error {
  override readonly name = 'Unconfirmed';
}
