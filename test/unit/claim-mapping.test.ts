import { expect, it } from 'vitest';
import { callerOf, readClaimMapping } from '../../client/http/callers/claim-mapping.ts';

const caller = (setting: string, claims: Record<string, unknown>) =>
  callerOf(readClaimMapping(setting) ?? expect.unreachable(), claims);
const sound = { tenant: 'alpha', environment: 'live', sub: 'ann' };

it('reads tenant, environment, sub and role unless it is told otherwise', () => {
  expect(caller('', sound)).toEqual({ tenant: 'alpha', environment: 'live', subject: 'ann', role: 'caller' });
  expect(caller('', { ...sound, role: 'viewer' })).toMatchObject({ role: 'viewer' });
});

it('takes the name of a claim as it is, dots and slashes and all', () => {
  const setting = 'tenant=https://example.com/org.id, subject=user.name';
  const claims = { ...sound, 'https://example.com/org.id': 'beta', 'user.name': 'bob', user: { name: 'eve' } };
  expect(caller(setting, claims)).toMatchObject({ tenant: 'beta', subject: 'bob' });
});

it('follows a JSON pointer into a claim', () => {
  const claims = { ...sound, app: { 'a/b': { 'c~d': 'beta' } }, roles: ['operator'] };
  expect(caller('tenant=/app/a~1b/c~0d,role=/roles/0', claims)).toMatchObject({ tenant: 'beta', role: 'operator' });
});

it('fixes a value for every token, whatever it says', () => {
  expect(caller('environment:test,role:viewer', { ...sound, role: 'operator' })).toMatchObject({
    environment: 'test',
    role: 'viewer',
  });
});

it.each([
  ['tenant', { tenant: undefined }],
  ['tenant', { tenant: '' }],
  ['tenant', { tenant: 'a b' }],
  ['tenant', { tenant: ['alpha'] }],
  ['tenant', { tenant: `a${'b'.repeat(63)}` }],
  ['environment', { environment: 'LIVE' }],
  ['subject', { sub: '' }],
  ['subject', { sub: 'auth0|12' }],
  ['subject', { sub: 'a/../b' }],
  ['role', { role: null }],
  ['role', { role: '' }],
  ['role', { role: ['operator'] }],
])('names the field that is missing or odd: %s of %o', (field, changes) => {
  expect(caller('', { ...sound, ...changes })).toBe(field);
});

it('finds nothing where a pointer leads to what every object has', () => {
  expect(caller('tenant=/constructor/name', sound)).toBe('tenant');
  expect(caller('tenant=__proto__', sound)).toBe('tenant');
});
