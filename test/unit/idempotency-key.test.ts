import type { IncomingMessage } from 'node:http';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HttpProblem } from '../../client/http/problems/http-problem.ts';
import { idempotencyKey } from '../../client/http/protocol/idempotency-key.ts';

const read = (...lines: string[]): string | undefined =>
  idempotencyKey({
    rawHeaders: lines.flatMap((line) => ['Idempotency-Key', line]),
  } as unknown as IncomingMessage);

function code(...lines: string[]): string {
  try {
    return `accepted ${read(...lines)}`;
  } catch (error) {
    expect(error).toBeInstanceOf(HttpProblem);
    return (error as HttpProblem).refusal.code;
  }
}

/** `sf-string` (RFC 9651, 4.1.6). */
const quoted = (key: string): string => `"${key.replace(/["\\]/g, '\\$&')}"`;

describe('an idempotency key', () => {
  it('is the same quoted as bare, for every text that both forms can carry', () => {
    const printable = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 255 });
    fc.assert(
      fc.property(printable, fc.constantFrom('', ';a=1', ' ; a="b, c";d', ';'), (key, parameters) => {
        const personal = code(quoted(key)) === 'key-personal';
        if (!personal) expect(read(quoted(key) + parameters)).toBe(key);
        if (!personal && !key.startsWith('"') && !key.includes(',') && key.trim() === key) expect(read(key)).toBe(key);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is missing only where there is no header', () => {
    expect(read()).toBeUndefined();
    expect(code('')).toBe('key-malformed');
    expect(code(' ')).toBe('key-malformed');
  });

  it('is 1 to 255 characters', () => {
    expect(read('k')).toBe('k');
    expect(read('k'.repeat(255))).toBe('k'.repeat(255));
    expect(code('k'.repeat(256))).toBe('key-malformed');
    expect(read(quoted('"'.repeat(255)))).toBe('"'.repeat(255));
    expect(code(quoted('"'.repeat(256)))).toBe('key-malformed');
  });

  it.each([
    'a, b',
    'a,b',
    '"a", "b"',
    '"a"b',
    '"a',
    'a\tb',
    'a\nb',
    'a\0',
    '\u007f',
    '\u00e9',
    '\u20ac',
    '"\u00e9"',
    '"a\\b"',
    '""',
    '"a";\u00e9',
  ])('is not %j', (value) => {
    expect(code(value)).toBe('key-malformed');
  });

  it('stands on one line', () => {
    expect(code('a', 'a')).toBe('key-malformed');
    expect(code('a', 'b')).toBe('key-malformed');
  });

  it.each([
    'ann@example.com',
    'a.b+c@mail.example.co.uk',
    '"ann@example.com"',
    'ann@example.xn--p1ai',
    'ann&bob@XN--E1AFMKFD.XN--80AKHBYKNJ4F',
    '4242424242424242',
    '4242-4242-4242-4242',
    '5555555555554444',
    '2223003122003222',
    '378282246310005',
    '6011111111111117',
  ])('holds no personal data: %s', (value) => {
    expect(code(value)).toBe('key-personal');
  });

  it.each([
    '4242424242424241',
    '9999999999999995',
    '1234567890123452',
    'order-4242424242424242',
    'evt_1@2',
    'a@b',
    'a@b.xn-2',
    '8f14e45f-ceea-467f-a9f8-1d2b3c4d5e6f',
    '0',
  ])('may be %s', (value) => {
    expect(read(value)).toBe(value);
  });
});
