import { describe, expect, it } from 'vitest';
import { fairShare } from '../../client/gateway/fair-share.ts';

function share(asker: string, limit: number, inHand: Record<string, number>, wanting: readonly string[] = []): number {
  return fairShare(asker, { limit, inHand: new Map(Object.entries(inHand)), wanting: new Set(wanting) });
}

describe('the share of a tenant', () => {
  it('is everything where no other asks', () => {
    expect(share('alpha', 60, {})).toBe(60);
    expect(share('alpha', 60, { alpha: 60 }, ['alpha'])).toBe(60);
  });

  it('is what the others leave where they want no more', () => {
    expect(share('alpha', 60, { alpha: 50, beta: 2 }, ['alpha'])).toBe(58);
  });

  it('is half for one that asks beside one that floods', () => {
    expect(share('beta', 60, { alpha: 60 }, ['alpha'])).toBe(30);
    expect(share('alpha', 60, { alpha: 60, beta: 10 }, ['alpha', 'beta'])).toBe(30);
  });

  it('divides equally what modest tenants leave', () => {
    const inHand = { alpha: 40, beta: 10, gamma: 6 };
    expect(share('alpha', 60, inHand, ['alpha', 'beta'])).toBe(27);
    expect(share('beta', 60, inHand, ['alpha', 'beta'])).toBe(27);
  });

  it('is an equal one where the others have more than the limit still', () => {
    expect(share('beta', 20, { alpha: 150 }, ['alpha'])).toBe(10);
  });

  it('is one operation at least, until the limit is used by others within theirs', () => {
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`t${n}`, 1]));
    expect(share('new', 20, { ...many(10), flood: 90 }, ['flood'])).toBeGreaterThan(1);
    expect(share('new', 20, many(19), ['t1'])).toBe(1);
    expect(share('new', 20, many(20), ['t1'])).toBe(0);
  });
});
