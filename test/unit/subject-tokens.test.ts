import { expect, it } from 'vitest';
import { KeyRing } from '../../activities/seal/key-ring.ts';
import { SubjectTokens } from '../../activities/seal/subject-tokens.ts';
import { keyOf } from '../support/seal-keys.ts';

const who = { tenant: 'alpha', environment: 'test', subject: 'anon-4711' };
const tokens = (...ids: string[]) => new SubjectTokens(KeyRing.read(ids.map((id) => `${id}:${keyOf(id)}`).join(',')));

it('a token speaks for its subject until it expires', () => {
  const token = tokens('a').issue(who, 1_000);
  expect(tokens('a').read(token, 999)).toEqual(who);
  expect(tokens('a').read(token, 1_000)).toBeUndefined();
});

it('a token outlives a rotation of keys, and ends with its key', () => {
  const token = tokens('a').issue(who, 1_000);
  expect(tokens('b', 'a').read(token, 0)).toEqual(who);
  expect(tokens('b').read(token, 0)).toBeUndefined();
});

it('a token in which one character was changed speaks for nobody', () => {
  const token = tokens('a').issue(who, 1_000);
  for (let n = 0; n < token.length; n += 1) {
    const other = token[n] === 'A' ? 'B' : 'A';
    const changed = token.slice(0, n) + other + token.slice(n + 1);
    // The last character of 256 bits in base64url holds two bits that say nothing.
    if (n < token.length - 1) expect([n, tokens('a').read(changed, 0)]).toEqual([n, undefined]);
  }
  for (const odd of ['', 'hpa_', 'hpa_~a~', `${token}x`, token.replaceAll('~', '.')])
    expect(tokens('a').read(odd, 0)).toBeUndefined();
});

it('a process without keys knows no token, and issues none', () => {
  const none = new SubjectTokens(KeyRing.empty);
  expect(none.read(tokens('a').issue(who, 1_000), 0)).toBeUndefined();
  expect(() => none.issue(who, 1_000)).toThrow('signed with the seal keys');
});
