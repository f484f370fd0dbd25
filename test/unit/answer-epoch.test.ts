import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { AnswerEpoch } from '../../client/gateway/answer-epoch.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function epochOf(read: () => Promise<number>) {
  let hear: (epoch: number) => void = () => expect.unreachable();
  const epoch = new AnswerEpoch({ begun: 7, read, hear: (callback) => (hear = callback) });
  return { epoch, hear: (number: number) => hear(number) };
}

it('a new epoch is known at once by its news', () => {
  const { epoch, hear } = epochOf(async () => 7);
  hear(8);
  expect(epoch.now).toBe(8);
  epoch.close();
});

it('a new epoch whose news is lost is known within a second', async () => {
  let actual = 7;
  const { epoch } = epochOf(async () => actual);
  await vi.advanceTimersByTimeAsync(10_000);
  actual = 8;
  await vi.advanceTimersByTimeAsync(900);
  expect([epoch.now, epoch.isFresh]).toEqual([8, true]);
  epoch.close();
});

it('an earlier number that comes late changes nothing', async () => {
  const { epoch, hear } = epochOf(async () => 7);
  hear(9);
  hear(8);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(epoch.now).toBe(9);
  epoch.close();
});

it('what was not read for a second is not trusted, until it is read again', async () => {
  let isAway = false;
  const { epoch } = epochOf(async () => {
    if (isAway) throw new Error('PostgreSQL is away');
    return 7;
  });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(epoch.isFresh).toBe(true);
  isAway = true;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(epoch.isFresh).toBe(false);
  isAway = false;
  await vi.advanceTimersByTimeAsync(500);
  expect(epoch.isFresh).toBe(true);
  epoch.close();
});
