import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { HttpProblem } from '../problems/http-problem.ts';
import { headerLines } from './header-lines.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route is asked under an Idempotency-Key. */
    takesKey?: true;
  }
}

/** Printable ASCII (RFC 20): nothing that a log line, a header or a workflow id would have to escape. */
const printable = /^[\x20-\x7e]+$/;
/** Characters, without quotes and escapes. */
export const longestKey = 255;

/** An `sf-string` (RFC 9651, 3.3.3), and after it parameters, which mean nothing here. */
const quoted = /^"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"(?:\s*;.*)?$/;

/** Top-level domains are letters, or Punycode (RFC 5890). Without one it is taken for a sender's id, such as `evt_1@2`. */
const email = /^[^\s@]+@[^\s@]+\.(?:[a-z]{2,}|xn--[a-z0-9-]+)$/i;
/** Issuers' prefixes and lengths (ISO/IEC 7812): Visa, Mastercard, American Express, Discover. */
const card = /^(?:4\d{12}(?:\d{3})?(?:\d{3})?|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|6(?:011|5\d\d)\d{12})$/;

/**
 * Reads the key in both forms that are met: the structured-field string `"abc"` and the bare `abc`, which name the same
 * operation.
 * @returns undefined when there is none
 * @throws HttpProblem key-malformed, key-personal
 */
export function idempotencyKey(request: IncomingMessage): string | undefined {
  const lines = headerLines(request, 'idempotency-key');
  if (lines.length === 0) return undefined;
  if (lines.length > 1) throw malformed(`was sent ${lines.length} times: send it once`);
  const key = unquoted((lines[0] as string).trim());
  if (email.test(key) || isCard(key))
    throw new HttpProblem(
      'key-personal',
      'Idempotency-Key: a key stands in logs and names, so it holds no e-mail address and no card number. Send a random UUID.',
      { header: 'Idempotency-Key' },
    );
  return key;
}

/**
 * What a problem says of the key it came under: the caller's own words, however early the request was refused.
 * @returns undefined where the route takes no key, or the key is at fault itself
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

function unquoted(value: string): string {
  if (value === '') throw malformed('is empty: send 1 to 255 printable ASCII characters, such as a random UUID');
  if (!printable.test(value)) throw malformed('holds bytes that are not printable ASCII: send a random UUID');
  let key = value;
  if (value.startsWith('"')) {
    const match = quoted.exec(value);
    if (match === null)
      throw malformed('begins with a quote but is no single quoted string: send "…" once, or no quotes');
    key = (match[1] as string).replace(/\\(["\\])/g, '$1');
  } else if (value.includes(',')) {
    throw malformed('holds a comma, so it may be a list of two keys: send one key, or quote it');
  }
  if (key === '') throw malformed('is empty: send 1 to 255 printable ASCII characters, such as a random UUID');
  if (key.length > longestKey) throw malformed(`has ${key.length} characters: at most ${longestKey} are allowed`);
  return key;
}

function malformed(what: string): HttpProblem {
  return new HttpProblem('key-malformed', `Idempotency-Key ${what}.`, { header: 'Idempotency-Key' });
}

/** The whole key, an issuer's prefix and the check digit: one in ten long numeric ids would pass the check digit alone. */
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
