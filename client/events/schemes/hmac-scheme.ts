import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { EventFault } from '../event-fault.ts';
import { type Delivery, expectRecent, headerOf, jsonOf, memberOf, type Said } from './scheme.ts';

/** Where a sender writes something: `header:X-Event-Type`, or `body:data.id`. */
const place = z.string().regex(/^(header:[A-Za-z0-9-]{1,100}|body:[A-Za-z0-9_.-]{1,200})$/, {
  error: "give 'header:' and the name of a header, or 'body:' and the path of a member such as 'body:data.id'",
});

/** How a sender signs with a plain HMAC. */
export const hmacDeclaration = {
  /** The header of the signature. */
  signature: z.string().regex(/^[A-Za-z0-9-]{1,100}$/, 'give the name of the header that holds the signature'),
  /** What stands before it there, such as `sha256=`. */
  prefix: z.string().max(20).default(''),
  algorithm: z.enum(['sha256', 'sha512']).default('sha256'),
  encoding: z.enum(['hex', 'base64']).default('hex'),
  /** The header of the time in seconds, which is then signed before the body, with a dot between. */
  time: z.string().max(100).optional(),
  /** `digest`: two events with the same body are the same. A header is not signed, so that it names no event. */
  id: z.string().regex(/^(digest|body:[A-Za-z0-9_.-]{1,200})$/, {
    error: "give 'body:' and the path of a member, or 'digest': a header is not signed",
  }),
  type: place,
  object: place.optional(),
} as const;

type HmacDeclaration = z.output<z.ZodObject<typeof hmacDeclaration>>;

/**
 * An HMAC over the body, by declaration.
 * @throws EventFault
 */
export function saidByHmac(delivery: Delivery, secrets: readonly string[], declared: HmacDeclaration): Said {
  const sent = headerOf(delivery, declared.signature);
  const time = declared.time === undefined ? undefined : headerOf(delivery, declared.time);
  if (time !== undefined) expectRecent(Number(time) * 1_000);
  const signed = time === undefined ? [delivery.body] : [Buffer.from(`${time}.`), delivery.body];
  if (!secrets.some((secret) => isSame(sent, signatureOf(signed, secret, declared))))
    throw new EventFault('signature-invalid', 'No secret of this source has made the signature.');
  const data = jsonOf(delivery);
  const at = (where: string): unknown => {
    const [kind = '', name = ''] = where.split(':');
    return kind === 'header' ? headerOf(delivery, name) : memberOf(data, name);
  };
  return {
    id: declared.id === 'digest' ? createHash('sha256').update(delivery.body).digest('hex') : at(declared.id),
    type: at(declared.type),
    object: declared.object === undefined ? undefined : at(declared.object),
    sentAt: time === undefined ? undefined : new Date(Number(time) * 1_000),
    data,
  };
}

function signatureOf(
  signed: readonly Buffer[],
  secret: string,
  { algorithm, encoding, prefix }: Pick<HmacDeclaration, 'algorithm' | 'encoding' | 'prefix'>,
): string {
  const hmac = createHmac(algorithm, secret);
  for (const part of signed) hmac.update(part);
  return `${prefix}${hmac.digest(encoding)}`;
}

/** In the same time wherever they differ. */
function isSame(sent: string, made: string): boolean {
  const [one, other] = [Buffer.from(sent), Buffer.from(made)];
  return one.length === other.length && timingSafeEqual(one, other);
}
