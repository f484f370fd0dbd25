import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { redisLayer } from '../../client/dedup/redis-layer.ts';
import { isRedisAddress } from '../../activities/stores/redis/redis-address.ts';
import { readConfig } from '../../workers/config.ts';

it.each([
  'redis://127.0.0.1:6379',
  'rediss://cache.example.com',
  'redis://[::1]:6379/2',
  'redis://:hush@cache:6379/',
  'rediss://ann:p%23ss%2F%3F%25@cache.example.com:6380/0?timeout=2',
])('is an address: %s', (address) => {
  expect(isRedisAddress(address)).toBe(true);
  expect(readConfig(['REDIS_URL'], { REDIS_URL: address })).toEqual({ REDIS_URL: address });
});

describe.each([
  ['no host', 'redis:///hush'],
  ['another protocol', 'http://ann:hush@cache'],
  ['a # in its password', 'redis://:p#hush@cache'],
  ['a # after figures', 'redis://ann:12#hush@cache'],
  ['a / after figures', 'redis://ann:12/hush@cache'],
  ['a ? after figures', 'redis://ann:12?hush@cache'],
  ['a % in its password', 'redis://ann:100%hush@cache'],
])('an address with %s', (_, address) => {
  it('is refused at the start, and its password is not told', () => {
    expect(() => readConfig(['REDIS_URL'], { REDIS_URL: address })).toThrow(
      /^(?!.*hush).*REDIS_URL is no address: give the address of Redis or Valkey/s,
    );
  });

  it('is refused by a layer, and its password is not told', () => {
    let fault: unknown;
    try {
      redisLayer({ url: address, onCrash: 'runs-again', space: 'none', log: () => undefined });
    } catch (error) {
      fault = error;
    }
    expect(fault).toBeInstanceOf(TypeError);
    // All that a log would show of it. The stack names this file and not what it holds.
    expect(inspect(fault)).not.toContain('hush');
  });
});
