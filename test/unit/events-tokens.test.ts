import { expect, it } from 'vitest';
import { EventsTokens } from '../../activities/seal/events-tokens.ts';
import { KeyRing } from '../../activities/seal/key-ring.ts';
import { SubjectTokens } from '../../activities/seal/subject-tokens.ts';
import { createLogger } from '../../workers/logger.ts';
import { keyOf } from '../support/seal-keys.ts';

const says = {
  ...{ tenant: 'alpha', environment: 'test', subject: 'ann', role: 'caller' },
  operation: `op_${'0'.repeat(26)}`,
};
const ring = (...ids: string[]) => KeyRing.read(ids.map((id) => `${id}:${keyOf(id)}`).join(','));
const tokens = (...ids: string[]) => new EventsTokens(ring(...ids));

it('an events token says whose stream of which operation it opens, until it expires', () => {
  const token = tokens('a').issue(says, 1_000);
  expect(tokens('a').read(token, 999)).toEqual(says);
  expect(tokens('a').read(token, 1_000)).toBeUndefined();
});

it('an events token outlives a rotation of the seal keys, and ends with its key', () => {
  const token = tokens('a').issue(says, 1_000);
  expect(tokens('b', 'a').read(token, 0)).toEqual(says);
  expect(tokens('b').read(token, 0)).toBeUndefined();
});

it('a token of another kind is none, though the same keys have signed it', () => {
  const other = new SubjectTokens(ring('a')).issue(says, 1_000);
  expect(tokens('a').read(other, 0)).toBeUndefined();
  expect(tokens('a').read(other.replace('hpa_', 'hpe_'), 0)).toBeUndefined();
  expect(new SubjectTokens(ring('a')).read(tokens('a').issue(says, 1_000), 0)).toBeUndefined();
});

it('the longest names fit into a token, and into a URL as they are', () => {
  const long = { ...says, tenant: 't'.repeat(63), subject: 's'.repeat(63), role: 'operator', environment: 'live' };
  const token = tokens('a').issue(long, Date.parse('2099-01-01'));
  expect(tokens('a').read(token, 0)).toEqual(long);
  expect(encodeURIComponent(token)).toBe(token);
});

it('no log has an events token, wherever it stands in a text', () => {
  const token = tokens('a').issue(says, 1_000);
  const lines: string[] = [];
  const log = createLogger('http', 'info', { write: (line) => void lines.push(line) });
  log.info(`GET /v1/operations/op_1/events?token=${token}`);
  log.info({ note: `it was ${token}` });
  expect(lines.join('')).not.toContain(token.slice(10));
  expect(lines).toHaveLength(2);
});
