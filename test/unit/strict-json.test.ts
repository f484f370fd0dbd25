import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HttpProblem } from '../../client/http/problems/http-problem.ts';
import { strictJson } from '../../client/http/protocol/strict-json.ts';

function refusal(text: string): string {
  try {
    strictJson(text);
  } catch (error) {
    expect(error).toBeInstanceOf(HttpProblem);
    expect((error as HttpProblem).refusal.code).toBe('body-malformed');
    return (error as HttpProblem).message;
  }
  throw new Error(`accepted: ${text.slice(0, 80)}`);
}

describe('strict JSON', () => {
  it('gives what JSON.parse gives for everything that can be read in one way', () => {
    const harmless = fc
      .jsonValue({ maxDepth: 6, stringUnit: 'grapheme' })
      .filter((value) => !/\\u0000|__proto__/.test(JSON.stringify(value)));
    fc.assert(
      fc.property(harmless, fc.constantFrom(undefined, 2, '\t'), (value, space) => {
        const text = JSON.stringify(value, null, space);
        expect(strictJson(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: 1_000 },
    );
  });

  it('either reads a text as JSON.parse does or refuses it, and never fails otherwise', () => {
    const pieces = fc.array(
      fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"',
        '\\',
        '"a"',
        '"b"',
        '1',
        'null',
        ' ',
        '\\u0061',
        '\ud800',
        '\0',
      ),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(pieces, (parts) => {
        const text = parts.join('');
        let read: unknown;
        try {
          read = strictJson(text);
        } catch (error) {
          expect(error).toBeInstanceOf(HttpProblem);
          return;
        }
        expect(read).toEqual(JSON.parse(text));
      }),
      { numRuns: 5_000 },
    );
  });

  it.each([
    ['{"a":1,"a":2}', '"a" appears twice'],
    ['{"a":1,"\\u0061":2}', '"a" appears twice'],
    ['{"b":{"a":1,"c":{},"a":2}}', '"a" appears twice'],
    ['[{"a":1},{"b":[],"b":1}]', '"b" appears twice'],
    ['{"":1,"":2}', 'appears twice'],
    ['{"__proto__":1}', '__proto__'],
    ['{"a":[{"\\u005f_proto__":1}]}', '__proto__'],
    ['"\\u0000"', 'NUL'],
    ['{"a\\u0000":1}', 'NUL'],
    ['"\\ud800"', 'surrogate'],
    ['["\\udc00\\ud800"]', 'surrogate'],
    ['['.repeat(33) + ']'.repeat(33), '32 levels'],
    ['[{"a":'.repeat(17), '32 levels'],
    ['', 'JSON'],
    ['{', 'JSON'],
    ['{"a":1}}', 'JSON'],
  ])('refuses %s', (text, says) => {
    expect(refusal(text)).toContain(says);
  });

  it.each([
    ['[{"a":1},{"a":1}]', 'one name in two objects'],
    ['{"a":{"a":{"a":1}}}', 'one name at each depth'],
    ['{"a":"a","b":"a"}', 'a name as a value'],
    ['["a","a"]', 'a text twice in a list'],
    ['{"a":"{\\"a\\":1,\\"a\\":2}"}', 'JSON in a text'],
    ['"__proto__"', '__proto__ as a value'],
    ['{"a":["b","b"],"b":1}', 'a name after a list that holds it'],
    ['"\\ud83d\\ude00"', 'a whole pair'],
    ['['.repeat(32) + ']'.repeat(32), 'the deepest that is allowed'],
    ['{"a":"\\\\","b":"\\""}', 'escaped quotes'],
  ])('takes %s: %s', (text) => {
    expect(strictJson(text)).toEqual(JSON.parse(text));
  });

  it('quotes nothing of the body in its refusal', () => {
    for (const text of [
      '{"card":"4242424242424242"',
      '{"card": 4242424242424242x}',
      '4242424242424242 4242424242424242',
      '"4242424242424242',
    ])
      expect(refusal(text)).not.toContain('4242');
  });

  it('takes time in proportion to the length, however it is nested or quoted', () => {
    // Its own time: what the machine gives to others does not count.
    const begun = process.cpuUsage();
    for (const piece of ['[', '{"a":', '"', '\\', '{"a":1,', '"\\"'])
      try {
        strictJson(piece.repeat(20_000));
      } catch (error) {
        expect(error).toBeInstanceOf(HttpProblem);
      }
    const { user, system } = process.cpuUsage(begun);
    expect((user + system) / 1_000).toBeLessThan(1_000);
  });
});
