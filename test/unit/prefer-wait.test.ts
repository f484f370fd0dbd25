import { describe, expect, it } from 'vitest';
import { preferredWait } from '../../client/http/protocol/prefer-wait.ts';

describe('Prefer: wait', () => {
  it.each([
    ['wait=0', 0],
    ['wait=1', 1_000],
    ['wait=30', 30_000],
    ['wait=31', 30_000],
    ['wait=999999', 30_000],
    ['Wait=5', 5_000],
    ['wait="5"', 5_000],
    ['wait = 5', 5_000],
    ['respond-async, wait=5', 5_000],
    ['wait=5; foo', 5_000],
    ['handling=lenient;wait=5', 5_000],
  ])('%s is %i ms, and never more than 30 s', (header, wait) => {
    expect(preferredWait(header)).toBe(wait);
  });

  it.each([
    undefined,
    '',
    'wait',
    'wait=',
    'wait=-1',
    'wait=1.5',
    'wait=1e3',
    'wait=ten',
    'wait=99999999999',
    'await=5',
    'wait=5s',
    'return=minimal',
  ])('%s is no preference that can be read, and so is ignored', (header) => {
    expect(preferredWait(header)).toBe(10_000);
    expect(preferredWait(header, 0)).toBe(0);
  });

  it('may stand on several lines', () => {
    expect(preferredWait(['respond-async', 'wait=3'])).toBe(3_000);
  });
});
