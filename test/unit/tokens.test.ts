import { describe, expect, it } from 'vitest';
import { ConfigFault } from '../../workers/config.ts';
import { identify, readTokens, tenantsOf } from '../../workers/tokens.ts';

describe('tokens', () => {
  const tokens = readTokens('local-alpha=alpha:test:default, live=key-1=alpha:live:shop ,local-beta=beta:test:default');

  it('speak for a tenant, an environment and a subject', () => {
    const alpha = { tenant: 'alpha', environment: 'test', subject: 'default', role: 'caller' };
    expect(identify(tokens, 'local-alpha')).toEqual(alpha);
    expect(identify(tokens, 'live=key-1')).toEqual({ ...alpha, environment: 'live', subject: 'shop' });
    expect(tenantsOf('local-alpha=alpha:test:default,local-betaa=alpha:live:default,local-gamma=beta:test:x')).toEqual([
      'alpha',
      'beta',
    ]);
  });

  it('speak for a further subject of their own tenant behind a dot', () => {
    expect(identify(tokens, 'local-alpha.ann')).toEqual({
      tenant: 'alpha',
      environment: 'test',
      subject: 'ann',
      role: 'caller',
    });
  });

  it('have a role where one is written, and are a caller otherwise', () => {
    const setting = 'for-people=alpha:test:ann:viewer,for-support=alpha:test:bob:operator,for-a-shop=alpha:test:shop';
    const roles = ['for-people', 'for-people.eve', 'for-support', 'for-a-shop'].map(
      (bearer) => identify(readTokens(setting), bearer)?.role,
    );
    expect(roles).toEqual(['viewer', 'viewer', 'operator', 'caller']);
  });

  it.each([
    '',
    '.',
    'local-alph',
    'local-alphaa',
    'LOCAL-ALPHA',
    'local-alpha.',
    '.ann',
    'local-alpha.a.b',
    'local-alpha.a/b',
    'local-alpha. ',
    'local-alpha.-a',
    `local-alpha.${'a'.repeat(64)}`,
    'local-alpha.a:live',
    '__proto__',
    'constructor',
  ])('that are not known are nobody: %j', (bearer) => {
    expect(identify(tokens, bearer)).toBeUndefined();
  });

  it('are kept as digests only', () => {
    expect(JSON.stringify([...tokens])).not.toMatch(/local-alpha|key-1/);
  });

  it.each([
    '',
    'short=alpha:test:x',
    'local-alpha',
    'local-alpha=',
    'local-alpha=alpha',
    'local-alpha=alpha:test',
    'local-alpha=alpha:prod:x',
    'local-alpha=al/pha:test:x',
    'local-alpha=:test:x',
    'local-alpha=alpha:test:x:y',
    'local.alpha=alpha:test:x',
    'loc al-alpha=alpha:test:x',
    'local-alpha=alpha:test:x:',
    'local-alpha=alpha:test:x:admin',
    'local-alpha=alpha:test:x:Operator',
    'local-alpha=alpha:test:x:caller',
    'local-alpha=alpha:test:x:viewer:operator',
    'hpx_local-alpha=alpha:test:x',
  ])('that are written wrongly stop the start, and are not quoted: %j', (setting) => {
    expect(() => readTokens(setting)).toThrow(ConfigFault);
    expect(() => readTokens(`good-token=alpha:test:x,${setting}`)).toThrow(
      /^HAPAX_TOKENS entry 2 must be token=tenant:live\|test:subject.* letters, digits, - and _/,
    );
    try {
      readTokens(setting);
    } catch (error) {
      if (setting.includes('local-')) expect((error as Error).message).not.toContain('local-');
    }
  });
});
