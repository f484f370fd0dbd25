import { describe, expect, it } from 'vitest';
import { readCallers } from '../../workers/callers.ts';
import { readConfig } from '../../workers/config.ts';
import { callerSettings } from '../../workers/callers.ts';

const jwt = {
  HAPAX_JWKS_URL: 'https://issuer.test/jwks.json',
  HAPAX_JWT_ISSUER: 'https://issuer.test/',
  HAPAX_JWT_AUDIENCE: 'https://api.test/',
};

function read(env: Record<string, string>) {
  return readCallers(readConfig(callerSettings, { DATABASE_URL: 'postgres://127.0.0.1:1/none', ...env }));
}

describe('the ways in which callers are known', () => {
  it('are three, of which one is enough', () => {
    for (const way of [jwt, { HAPAX_API_KEYS: 'on' }, { HAPAX_TOKENS: 'long-enough=alpha:test:ann' }])
      expect(() => read(way)).not.toThrow();
  });

  it.each([{}, { HAPAX_TOKENS: '' }, { HAPAX_API_KEYS: 'off' }])('stop the start where there is none: %o', (env) => {
    expect(() => read(env)).toThrow(
      /^Cannot start:\n[^]*HAPAX_JWKS_URL, HAPAX_JWT_ISSUER and HAPAX_JWT_AUDIENCE [^]*HAPAX_API_KEYS=on [^]*HAPAX_TOKENS /,
    );
  });

  it.each([
    [['HAPAX_JWKS_URL'], ['HAPAX_JWT_ISSUER', 'HAPAX_JWT_AUDIENCE']],
    [['HAPAX_JWKS_URL', 'HAPAX_JWT_ISSUER'], ['HAPAX_JWT_AUDIENCE']],
    [['HAPAX_JWT_ISSUER', 'HAPAX_JWT_AUDIENCE'], ['HAPAX_JWKS_URL']],
  ] as const)('stop the start where one is half configured: %s', (given, missing) => {
    const half = Object.fromEntries(given.map((name) => [name, jwt[name]]));
    // Static tokens would do, and yet somebody meant JWTs to be checked.
    expect(() => read({ ...half, HAPAX_TOKENS: 'long-enough=alpha:test:ann' })).toThrow(
      new RegExp(`^Cannot start:${missing.map((name) => `\\n  ${name} is not set[^\n]*`).join('')}$`),
    );
  });

  it.each([
    'http://issuer.test/jwks.json',
    'http://127.0.0.1.evil.example/jwks.json',
    'ftp://127.0.0.1/jwks',
    'jwks.json',
  ])('take no JWKS that can be changed on its way: %s', (url) => {
    expect(() => read({ ...jwt, HAPAX_JWKS_URL: url })).toThrow('HAPAX_JWKS_URL is "');
  });

  it('take a JWKS without TLS on the loopback', () => {
    for (const host of ['127.0.0.1:9', 'localhost', '[::1]:9'])
      expect(() => read({ ...jwt, HAPAX_JWKS_URL: `http://${host}/jwks` })).not.toThrow();
  });

  it.each(['tenant', 'tenant=', 'owner=sub', 'environment:prod', 'role:admin', 'tenant=a,tenant=b', 'tenant:a/b'])(
    'take no mapping of claims that means nothing: %s',
    (claims) => {
      expect(() => read({ ...jwt, HAPAX_JWT_CLAIMS: claims })).toThrow(
        /^Cannot start:\n {2}HAPAX_JWT_CLAIMS is ".*": give entries separated by commas, each FIELD=CLAIM or FIELD:VALUE/,
      );
    },
  );
});
