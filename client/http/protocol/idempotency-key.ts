import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { HttpProblem } from '../problems/http-problem.ts';
import { headerLines } from './header-lines.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route takes an Idempotency-Key. */
    takesKey?: true;
  }
}

/** Printable ASCII (RFC 20): nothing that a log line, a header or a workflow id would have to escape. */
const printable = /^[\x20-\x7e]+$/;
/** Characters, without quotes and escapes. */
export const longestKey = 255;

/** An `sf-string` (RFC 9651, 3.3.3), followed by parameters, which have no meaning here. */
const quoted = /^"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"(?:\s*;.*)?$/;

/**
 * Top-level domains are letters, or Punycode (RFC 5890). Without one the text counts as a sender's id, such as
 * `evt_1@2`.
 */
const email = /^[^\s@]+@[^\s@]+\.(?:[a-z]{2,}|xn--[a-z0-9-]+)$/i;
/** Issuers' prefixes and lengths (ISO/IEC 7812): Visa, Mastercard, American Express, Discover. */
const card = /^(?:4\d{12}(?:\d{3})?(?:\d{3})?|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|6(?:011|5\d\d)\d{12})$/;

/**
 * Reads the key in both forms that clients send: the structured-field string `"abc"` and the bare `abc`, which name the
 * same operation.
 * @returns undefined when there is none
 * @throws HttpProblem key-malformed, key-personal
 */
export function idempotencyKey(request: IncomingMessage): string | undefined {
  const lines = headerLines(request, 'idempotency-key');
  if (lines.length === 0) return undefined;
  if (lines.length > 1) throw malformed('Idempotency-Key', `was sent ${lines.length} times: send it once`);
  return soundKey(lines[0] as string);
}

/**
 * The key in either form.
 * @param where it stands, for people
 * @throws HttpProblem key-malformed, key-personal
 */
export function soundKey(sent: string, where = 'Idempotency-Key'): string {
  const key = unquoted(sent.trim(), where);
  if (email.test(key) || isCard(key))
    throw new HttpProblem(
      'key-personal',
      `${where}: keys appear in logs and names, so a key must not be an e-mail address or a card number. Send a random UUID.`,
      { header: 'Idempotency-Key' },
    );
  return key;
}

/**
 * The key that a problem repeats, exactly as the caller sent it, however early the request was refused.
 * @returns undefined when the route takes no key, or when the key itself is at fault
 */
export function keyToEcho(request: FastifyRequest): string | undefined {
  const { raw } = request;
  if (!request.routeOptions.config?.takesKey) return undefined;
  try {
    return idempotencyKey(raw) === undefined ? undefined : headerLines(raw, 'idempotency-key')[0];
  } catch {
    return undefined;
  }
}

function unquoted(value: string, where: string): string {
  if (value === '') throw malformed(where, 'is empty: send 1 to 255 printable ASCII characters, such as a random UUID');
  if (!printable.test(value)) throw malformed(where, 'contains bytes that are not printable ASCII: send a random UUID');
  let key = value;
  if (value.startsWith('"')) {
    const match = quoted.exec(value);
    if (match === null)
      throw malformed(where, 'begins with a quote but is not one quoted string: send "…" once, or no quotes');
    key = (match[1] as string).replace(/\\(["\\])/g, '$1');
  } else if (value.includes(',')) {
    throw malformed(where, 'contains a comma, so it may be a list of two keys: send one key, or quote it');
  }
  if (key === '') throw malformed(where, 'is empty: send 1 to 255 printable ASCII characters, such as a random UUID');
  if (key.length > longestKey)
    throw malformed(where, `has ${key.length} characters: at most ${longestKey} are allowed`);
  return key;
}

function malformed(where: string, what: string): HttpProblem {
  return new HttpProblem('key-malformed', `${where} ${what}.`, { header: 'Idempotency-Key' });
}

/**
 * Requires an issuer's prefix, the right length and the check digit, over the whole key: one in ten long numeric ids
 * would pass the check digit alone.
 */
function isCard(key: string): boolean {
  const digits = key.replace(/[ -]/g, '');
  if (!card.test(digits)) return false;
  let sum = 0;
  for (const [index, digit] of digits.split('').reverse().entries()) {
    const doubled = index % 2 === 1 ? Number(digit) * 2 : Number(digit);
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
