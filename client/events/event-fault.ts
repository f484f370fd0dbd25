/** Why a delivery is refused. Nothing was recorded. */
export class EventFault extends Error {
  override readonly name = 'EventFault';
  readonly code: 'not-found' | 'signature-invalid' | 'body-malformed' | 'request-invalid' | 'environment-mismatch';

  constructor(code: EventFault['code'], message: string) {
    super(message);
    this.code = code;
  }
}
