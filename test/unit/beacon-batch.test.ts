import { describe, expect, it } from 'vitest';
import { beaconBatch } from '../../client/http/beacons/beacon-batch.ts';

const sound = { id: '5f0c7a3e-2b9d-4c61-9d0e-7a41c2f6b8d3', signal: 'repeated-click', ago: 10 };
const taken = (...beacons: object[]) => beaconBatch.safeParse({ beacons }).success;

describe('a beacon', () => {
  it('is one of five signals, in words of short lists and numbers', () => {
    for (const signal of ['repeated-click', 'dialog-reopened', 'same-file-selected', 'refresh-while-pending'])
      expect([signal, taken({ ...sound, signal })]).toEqual([signal, true]);
    expect(taken({ ...sound, signal: 'recovered', took: 2_500 })).toBe(true);
    const all = {
      ...sound,
      ...{ operation: `op_${'0'.repeat(26)}`, times: 3, screen: 'sign-up', progress: 40, browser: 'firefox' },
      ...{ device: 'mobile', network: '4g', transitions: [{ to: 'needs_action', after: 1_000 }] },
    };
    expect(taken(all)).toBe(true);
  });

  it.each<[string, object]>([
    ['a field that nobody declared', { email: 'ann@example.com' }],
    ['a field that nobody declared, deep inside', { transitions: [{ to: 'done', after: 1, text: 'Ann' }] }],
    ['an address as its screen', { screen: 'ann@example.com' }],
    ['a number as its screen', { screen: 'user-4711' }],
    ['a sentence as its screen', { screen: 'where ann was' }],
    ['a long screen', { screen: 'a'.repeat(41) }],
    ['another signal', { signal: 'rage' }],
    ['another page state', { transitions: [{ to: 'ann', after: 1 }] }],
    ['another browser', { browser: 'Mozilla/5.0 (Ann)' }],
    ['another device', { device: 'anns-phone' }],
    ['free text as its id', { id: 'ann' }],
    ['free text as its operation', { operation: 'ann' }],
    ['a time that says nothing', { ago: -1 }],
    ['a fraction', { ago: 1.5 }],
    ['a number beyond any use', { times: 1e9 }],
    ['a progress beyond the end', { progress: 101 }],
    ['a recovery that does not say how long', { signal: 'recovered' }],
    ['how long, of what is no recovery', { took: 1 }],
    ['too many transitions', { transitions: Array.from({ length: 21 }, () => ({ to: 'idle', after: 0 })) }],
  ])('is refused with %s', (_, changes) => {
    expect(taken({ ...sound, ...changes })).toBe(false);
  });

  it('comes in batches of 1 to 50', () => {
    const many = (count: number) => Array.from({ length: count }, () => sound);
    expect([0, 1, 50, 51].map((count) => taken(...many(count)))).toEqual([false, true, true, false]);
    expect(beaconBatch.safeParse({ beacons: [sound], who: 'ann' }).success).toBe(false);
  });

  it('of the largest form, fifty times, fits into the body that is taken', () => {
    const largest = {
      ...sound,
      ...{ signal: 'refresh-while-pending', ago: 604_800_000, times: 1_000, screen: 'a'.repeat(40), progress: 100 },
      ...{ operation: `op_${'0'.repeat(26)}`, browser: 'firefox', device: 'desktop', network: 'ethernet' },
      transitions: Array.from({ length: 20 }, () => ({ to: 'needs_action', after: 604_800_000 })),
    };
    expect(taken(...Array.from({ length: 50 }, () => largest))).toBe(true);
    expect(JSON.stringify({ beacons: Array.from({ length: 50 }, () => largest) }).length).toBeLessThan(64 * 1024);
  });
});
