import { expect, it } from 'vitest';
import { KeyAttempts } from '../../client/gateway/key-attempts.ts';

const start = 1_000_000;
const minute = 60_000;

it('lets a key be asked for so often in a minute, says how long to wait, and counts each key for itself', () => {
  const attempts = new KeyAttempts(3);
  for (let n = 0; n < 3; n += 1) expect(attempts.count('one', start + n)).toBeUndefined();
  expect(attempts.count('one', start + 10_000)).toBe(minute - 10_000);
  expect(attempts.count('one', start + minute - 1)).toBe(1);
  expect(attempts.count('another', start + 10_000)).toBeUndefined();
  expect(attempts.count('one', start + minute)).toBeUndefined();
});
