import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { apiKeyPrefix, hashApiKey, namedPrefix, writeApiKey } from '../../client/http/callers/api-key.ts';

const random = { prefix: Buffer.from('0123456789ab', 'hex'), secret: Buffer.alloc(32, 7) };
const key = writeApiKey('live', random);

describe('an API key', () => {
  it('says what it is, for which environment, and which row it is found in', () => {
    expect(key).toMatch(/^hpx_live_0123456789ab_(07){32}[0-9a-f]{8}$/);
    expect(apiKeyPrefix(key)).toBe('0123456789ab');
    expect(writeApiKey('test', { prefix: randomBytes(6), secret: randomBytes(32) })).toMatch(/^hpx_test_/);
  });

  it('with one character changed is known to be none, without a look at the ledger', () => {
    for (let at = 0; at < key.length; at += 1) {
      const changed = `${key.slice(0, at)}${key[at] === '1' ? '2' : '1'}${key.slice(at + 1)}`;
      expect([at, apiKeyPrefix(changed)]).toEqual([at, undefined]);
    }
    for (const text of ['', key.slice(1), key.slice(0, -1), `${key}0`, key.toUpperCase(), `${key}\n`, ` ${key}`])
      expect(apiKeyPrefix(text)).toBeUndefined();
  });

  it('is hashed as a whole', () => {
    const other = writeApiKey('test', random);
    expect(hashApiKey(key)).toHaveLength(32);
    expect(hashApiKey(key).equals(hashApiKey(other))).toBe(false);
  });

  it('is named by its prefix, by what a list shows, or by itself', () => {
    for (const name of ['0123456789ab', 'hpx_live_0123456789ab', key]) expect(namedPrefix(name)).toBe('0123456789ab');
    for (const name of ['', '0123456789a', 'hpx_prod_0123456789ab', '%', `${key}0`])
      expect(namedPrefix(name)).toBeUndefined();
  });
});
