/** Nobody has said where a name leads, nor that it leads nowhere: the name server is away, or that of the name's owner. */
export class NameUnanswered extends Error {
  override readonly name = 'NameUnanswered';
}
