import { expect, it } from 'vitest';
import { RetryTimes } from '../../client/gateway/retry-times.ts';

it('the refused are told to come one after the other, as fast as room comes free', () => {
  const times = new RetryTimes();
  const turns = Array.from({ length: 5 }, () => times.next('alpha', 1_000, 4, 2) - 1_000);
  // Four operations that have to end first, two in a second.
  expect(turns).toEqual([2_000, 2_500, 3_000, 3_500, 4_000]);
});

it('one tenant’s crowd does not put another tenant off', () => {
  const times = new RetryTimes();
  for (let n = 0; n < 100; n += 1) times.next('alpha', 0, 1, 10);
  expect(times.next('beta', 0, 1, 10)).toBe(100);
});

it('nobody is put off for more than 30 seconds, even while no operation ends', () => {
  expect(new RetryTimes().next('alpha', 0, 50, 0)).toBe(30_000);
});

it('a crowd that has passed is forgotten', () => {
  const times = new RetryTimes();
  for (let n = 0; n < 100; n += 1) times.next('alpha', 0, 1, 10);
  times.forget(11_000);
  expect(times.next('alpha', 11_000, 1, 10)).toBe(11_100);
});
