import { EventFault } from '../event-fault.ts';

/** One delivery, as it came. */
export type Delivery = {
  /** By name, in lower case; each time that it was sent. */
  readonly headers: Readonly<Record<string, readonly string[] | undefined>>;
  /** The bytes that are signed. */
  readonly body: Buffer;
};

/** What a sender says, once its signature holds. Nothing of its form has been checked. */
export type Said = {
  readonly id: unknown;
  readonly type: unknown;
  /** What it is about. */
  readonly object: unknown;
  /** Whether the sender calls it real; undefined where its events do not say. */
  readonly live?: boolean;
  readonly sentAt: Date | undefined;
  readonly data: unknown;
  /** What is kept of the body where that is not all of it. */
  readonly kept?: Buffer;
};

/** Milliseconds that a signature may be old, or come from a clock that is ahead: as Stripe and Standard Webhooks have it. */
export const tolerance = 5 * 60 * 1_000;

/** A sender that rotates its secrets signs with two or three. Each costs a digest. */
const mostSignatures = 20;

const stale = 'The signature is older than five minutes, or from the future: see that the clocks are right.';

/** @throws EventFault where the time that was signed is too far from now */
export function expectRecent(at: number): void {
  if (!Number.isFinite(at) || Math.abs(Date.now() - at) > tolerance) throw new EventFault('signature-invalid', stale);
}

/** @throws EventFault */
export function expectFew(signatures: number): void {
  if (signatures > mostSignatures)
    throw new EventFault(
      'signature-invalid',
      `The event has ${signatures} signatures: at most ${mostSignatures} are read.`,
    );
}

/** @throws EventFault where the header is missing, or was sent twice */
export function headerOf({ headers }: Delivery, name: string): string {
  const [value = '', ...others] = headers[name.toLowerCase()] ?? [];
  if (value === '')
    throw new EventFault('signature-invalid', `The header ${name} is missing: the sender signs each event with it.`);
  if (others.length > 0) throw new EventFault('signature-invalid', `The header ${name} was sent twice.`);
  return value;
}

/** A byte order mark stays, and is no JSON: it would make other bytes of the same text. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The body as JSON. @throws EventFault */
export function jsonOf({ body }: Pick<Delivery, 'body'>): unknown {
  try {
    return JSON.parse(utf8.decode(body));
  } catch {
    throw new EventFault('body-malformed', 'The event is no JSON in UTF-8.');
  }
}

/** @returns the member of a JSON object that a path such as `data.id` names */
export function memberOf(json: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    return (value as Record<string, unknown>)[name];
  }, json);
}
