import { describe, expect, it } from 'vitest';
import { Tally } from '../../client/gateway/tally.ts';

function counted(operations: Record<string, number>): Tally {
  const tally = new Tally();
  tally.recount()(new Map(Object.entries(operations)));
  return tally;
}

describe('the tally of what is in hand', () => {
  it('counts a claim while it is under way, and after it where it has begun something', () => {
    const tally = counted({ alpha: 2 });
    const [first, second] = [tally.begin('alpha'), tally.begin('beta')];
    expect([tally.of('alpha'), tally.of('beta'), tally.all, tally.counts.size]).toEqual([3, 1, 4, 2]);
    first(true);
    second(false);
    expect([tally.of('alpha'), tally.of('beta'), tally.all, tally.counts.size]).toEqual([3, 0, 3, 1]);
    tally.end('alpha');
    expect(tally.all).toBe(2);
  });

  it('is not fooled by ends of what it did not know', () => {
    const tally = counted({ alpha: 1 });
    tally.end('beta');
    tally.end('alpha');
    tally.end('alpha');
    expect([tally.all, tally.counts.size]).toEqual([0, 0]);
  });

  it('is right again after a look, with what has changed while it looked', () => {
    const tally = counted({ alpha: 9 });
    const claim = tally.begin('alpha');
    const found = tally.recount();
    tally.begin('beta')(true);
    tally.end('alpha');
    claim(true);
    found(new Map([['alpha', 4]]));
    // The claim that was under way may not be among what was counted; what has ended meanwhile may.
    expect([tally.of('alpha'), tally.of('beta')]).toEqual([4, 1]);
  });

  it('says how few there were between two looks', () => {
    const tally = counted({ alpha: 3 });
    tally.end('alpha');
    tally.end('alpha');
    tally.begin('alpha')(true);
    expect(tally.recount()(new Map([['alpha', 2]]))).toBe(1);
    expect(tally.recount()(new Map([['alpha', 2]]))).toBe(2);
  });
});
