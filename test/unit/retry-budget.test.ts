import { describe, expect, it } from 'vitest';
import { RetryBudget } from '../../activities/engine/retry-budget.ts';

const start = 1_000_000;
const tenSeconds = 10_000;

describe('a budget of retries', () => {
  it('lets a quiet system have its floor in ten seconds, and again when they are over', () => {
    const budget = new RetryBudget({ retryShare: 0.1, retriesAtLeast: 5 });
    const tried = (at: number) => {
      let made = 0;
      for (let n = 0; n < 20; n += 1)
        if (budget.allows(at)) {
          budget.sent(at, true);
          made += 1;
        }
      return made;
    };
    expect(tried(start)).toBe(5);
    expect(tried(start + tenSeconds - 1)).toBe(0);
    expect(tried(start + tenSeconds + 1_000)).toBe(5);
  });

  it('keeps retries at a tenth of all calls, however many fail', () => {
    const budget = new RetryBudget({ retryShare: 0.1, retriesAtLeast: 5 });
    const sent: { at: number; isRetry: boolean }[] = [];
    for (let at = start; at < start + 60_000; at += 20) {
      budget.sent(at, false);
      sent.push({ at, isRetry: false });
      // Every call fails, and each failure wants another.
      if (!budget.allows(at)) continue;
      budget.sent(at, true);
      sent.push({ at, isRetry: true });
    }
    const retries = sent.filter(({ isRetry }) => isRetry).length;
    expect(retries / sent.length).toBeLessThanOrEqual(0.1);
    expect(retries / sent.length).toBeGreaterThan(0.09);
    // In each stretch of ten seconds too.
    for (let at = start; at + tenSeconds <= start + 60_000; at += 500) {
      const within = sent.filter((one) => one.at >= at && one.at < at + tenSeconds);
      expect(within.filter(({ isRetry }) => isRetry).length).toBeLessThanOrEqual(Math.max(5, within.length * 0.11));
    }
  });

  it('gives those that are turned away a turn each, one behind the other and none beyond a minute', () => {
    const budget = new RetryBudget({ retryShare: 0.1, retriesAtLeast: 5 });
    for (let n = 0; n < 5; n += 1) budget.sent(start, true);
    const turns = Array.from({ length: 100 }, () => budget.turn(start));
    expect(turns[0]).toBeGreaterThan(tenSeconds - 1_000);
    expect(turns[0]).toBeLessThanOrEqual(tenSeconds + 1_000);
    expect((turns[1] as number) - (turns[0] as number)).toBe(2_000);
    expect(turns).toEqual(turns.toSorted((one, other) => one - other));
    expect(turns.at(-1)).toBe(60_000);
    expect(budget.allows(start + (turns[0] as number))).toBe(true);
  });
});
