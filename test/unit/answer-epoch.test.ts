import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { AnswerEpoch } from '../../client/gateway/answer-epoch.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function epochOf(
  read: () => Promise<number>,
  raise: (least: number) => Promise<number> = async () => expect.unreachable(),
) {
  let hear: (epoch: number) => void = () => expect.unreachable();
  const epoch = new AnswerEpoch({ begun: 7, read, raise, hear: (callback) => (hear = callback) });
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

it('an earlier number that comes late changes nothing, be it news or a reading that was asked for before', async () => {
  const raise = vi.fn(async (least: number) => least);
  const readings: ((epoch: number) => void)[] = [];
  const { epoch, hear } = epochOf(() => new Promise((resolve) => readings.push(resolve)), raise);
  await vi.advanceTimersByTimeAsync(300);
  hear(9);
  hear(8);
  readings[0]?.(7);
  await vi.advanceTimersByTimeAsync(200);
  expect([readings.length, epoch.now, epoch.isFresh]).toEqual([1, 9, true]);
  expect(raise).not.toHaveBeenCalled();
  epoch.close();
});

it('a number that a failover has lost is raised beyond what any process may have known', async () => {
  let actual = 7;
  const raise = async (least: number) => (actual = Math.max(actual, least));
  const { epoch, hear } = epochOf(async () => actual, raise);
  hear(8);
  await vi.advanceTimersByTimeAsync(400);
  expect([actual, epoch.now]).toEqual([1_008, 1_008]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect([actual, epoch.now, epoch.isFresh]).toEqual([1_008, 1_008, true]);
  epoch.close();
});

it('while it cannot be raised, Redis is not trusted', async () => {
  let isAway = true;
  let actual = 7;
  const { epoch, hear } = epochOf(
    async () => actual,
    async (least) => {
      if (isAway) throw new Error('PostgreSQL is away');
      return (actual = least);
    },
  );
  hear(8);
  await vi.advanceTimersByTimeAsync(1_000);
  expect([epoch.now, epoch.isFresh]).toEqual([8, false]);
  isAway = false;
  await vi.advanceTimersByTimeAsync(500);
  expect([epoch.now, epoch.isFresh]).toEqual([1_008, true]);
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
