import { describe, expect, it } from 'vitest';
import { advance, alwaysTaken, limit, type Pace, type PaceEvent, untried } from '../../client/gateway/pace.ts';

const second = { elapsed: 1_000, waited: 0 };

/** One look a second, from second `from` on. */
function looks(
  pace: Pace,
  from: number,
  count: number,
  { inHand, ended }: { inHand: number; ended: number | undefined },
): Pace {
  let after = pace;
  for (let n = 0; n < count; n += 1) {
    const event: PaceEvent = { kind: 'looked', at: (from + n) * 1_000, ...second, fewest: inHand, inHand, ended };
    after = advance(after, event);
  }
  return after;
}

describe('the pace of new operations', () => {
  it('lets workers that nobody has seen at work have what they end in 3.5 seconds at 15 a second', () => {
    expect(limit(untried)).toBe(52);
  });

  it('lets them have less or more by the time that an operation takes, before it has seen them busy', () => {
    const after = (took: number) => looks(advance(untried, { kind: 'ended', took }), 0, 1, { inHand: 1, ended: 1 });
    expect([500, 75, 10].map((took) => limit(after(took)))).toEqual([21, 140, 210]);
  });

  it('learns from workers that have enough to do how many they end, up and down', () => {
    const quick = looks(untried, 0, 20, { inHand: 50, ended: 60 });
    expect(quick.capacity).toBeCloseTo(60, 0);
    expect(looks(quick, 20, 20, { inHand: 50, ended: 12 }).capacity).toBeCloseTo(12, 0);
  });

  it('does not take a quiet hour for slow workers', () => {
    const quick = looks(untried, 0, 20, { inHand: 50, ended: 60 });
    expect(looks(quick, 20, 3_600, { inHand: 1, ended: 1 }).capacity).toBeCloseTo(60, 0);
  });

  it('learns nothing from ends that may have been missed', () => {
    const quick = looks(untried, 0, 20, { inHand: 50, ended: 60 });
    expect(looks(quick, 20, 60, { inHand: 50, ended: undefined }).capacity).toBe(quick.capacity);
  });

  it('takes a burst that ends in 3.5 seconds, and no more', () => {
    const busy = looks(untried, 0, 20, { inHand: 40, ended: 60 });
    expect(busy.kind).toBe('calm');
    expect(limit(busy)).toBeGreaterThanOrEqual(205);
    expect(limit(busy)).toBeLessThanOrEqual(210);
  });

  it('keeps the queue short once something was refused, until nothing was for five seconds', () => {
    const busy = looks(untried, 0, 20, { inHand: 40, ended: 60 });
    const crowded = advance(busy, { kind: 'refused', at: 20_000 });
    expect(limit(crowded)).toBeGreaterThanOrEqual(46);
    expect(limit(crowded)).toBeLessThanOrEqual(48);
    expect(looks(crowded, 21, 4, { inHand: 40, ended: 60 }).kind).toBe('crowded');
    expect(looks(crowded, 21, 5, { inHand: 40, ended: 60 }).kind).toBe('calm');
  });

  it('keeps the queue short where it stays for two seconds, though nothing was refused', () => {
    const busy = looks(untried, 0, 20, { inHand: 40, ended: 60 });
    expect(looks(busy, 20, 2, { inHand: 150, ended: 60 }).kind).toBe('calm');
    expect(looks(busy, 20, 3, { inHand: 150, ended: 60 }).kind).toBe('crowded');
  });

  it('keeps half of its pace over two seconds without workers, and comes down to a few without them', () => {
    const busy = looks(untried, 0, 20, { inHand: 40, ended: 60 });
    expect(looks(busy, 20, 2, { inHand: 40, ended: 0 }).capacity).toBeGreaterThan(30);
    expect(limit(looks(busy, 20, 20, { inHand: 40, ended: 0 }))).toBe(alwaysTaken);
  });

  it('comes down to a few while operations wait for longer than they may', () => {
    const waiting = { kind: 'looked', at: 1_000, ...second, fewest: 40, inHand: 40, ended: 60, waited: 3_600 } as const;
    expect(limit(advance(untried, waiting))).toBe(alwaysTaken);
    expect(limit(advance(advance(untried, waiting), { ...waiting, at: 2_000, waited: 100 }))).toBeGreaterThan(52);
  });

  it('does not starve workers whose operations take long by themselves', () => {
    let slow = advance(untried, { kind: 'ended', took: 1_200 });
    slow = looks(advance(slow, { kind: 'refused', at: 0 }), 1, 3, { inHand: 120, ended: 100 });
    // 100 a second that take 1.2 s each: 120 are in work at any time, without a queue.
    expect(limit(slow)).toBeGreaterThan(120);
  });

  it('does not take the time of a starved machine for the time of the work: half of a caller’s wait at most', () => {
    const starved = advance(untried, { kind: 'ended', took: 60_000 });
    expect(limit(starved)).toBe(75);
  });
});
