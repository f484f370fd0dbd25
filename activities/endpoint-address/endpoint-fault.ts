/** An address to which no webhook may go, or that leads nowhere. Its message is for the person who gave it. */
export class EndpointFault extends Error {
  override readonly name = 'EndpointFault';
}
