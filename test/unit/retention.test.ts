import { describe, expect, it } from 'vitest';
import { flows } from '../../workflows/flows.ts';
import { days, hours, minutes } from '../../workflows/operation/duration.ts';
import { retentionFaults } from '../../workflows/operation/retention.ts';

const because = 'a test says so';

describe('the retention of a flow', () => {
  it.each(flows.map((flow) => [flow.name, flow] as const))(
    'of %s outlasts its senders and its longest run',
    (name, flow) => {
      expect(retentionFaults(name, flow.retention, flow.patience + flow.undoPatience, flow.retryHorizon)).toEqual([]);
      expect(flow.retention.because.length).toBeGreaterThan(20);
    },
  );

  it('is refused where a sender may still retry after the answer has gone, to the millisecond', () => {
    const least = days(3) + hours(1) + minutes(10);
    const faults = (response: number) =>
      retentionFaults('checkout', { response, tombstone: days(400), because }, hours(1), days(3));
    expect(faults(least)).toEqual([]);
    expect(faults(least - 1)).toEqual([
      expect.stringContaining('raise retention.response in workflows/checkout.flow.ts'),
    ]);
  });

  it('is refused where a key is forgotten in less than a year, or before its answer', () => {
    const faults = (tombstone: number, response = days(30)) =>
      retentionFaults('checkout', { response, tombstone, because }, hours(1), days(3));
    expect(faults(days(365))).toEqual([]);
    expect(faults(days(365) - 1)).toEqual([expect.stringContaining('raise retention.tombstone')]);
    expect(faults(days(400), days(401))).toEqual([expect.stringContaining('raise retention.tombstone')]);
  });

  it('names every fault at once', () => {
    expect(retentionFaults('checkout', { response: 0, tombstone: 0, because }, 0, days(3))).toHaveLength(2);
  });
});
