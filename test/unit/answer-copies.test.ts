import { expect, it } from 'vitest';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';
import { flows } from '../../workflows/flows.ts';
import { copyFaults } from '../../workflows/operation/answer-copies.ts';
import { days } from '../../workflows/operation/duration.ts';
import { defineFlow } from '../../workflows/operation/flow.ts';

const retention = { response: days(30), tombstone: days(400), because: 'a test says so' };
const faults = (lifetime: number) =>
  copyFaults({ name: 'demo', copies: { lifetime, because: 'a test' }, retryHorizon: days(3), retention });

it('copies live as long as senders retry at least, and as long as the answer at most', () => {
  for (const lifetime of [days(3), days(10), days(30)]) expect(faults(lifetime)).toEqual([]);
  expect(copyFaults({ name: 'demo', retryHorizon: days(3), retention })).toEqual([]);
});

it('copies that live otherwise are refused with both numbers', () => {
  expect(faults(days(2))).toEqual([
    'Flow demo keeps copies of its answers in Redis for 2 days, but its senders retry for 3 days: raise copies.lifetime to that.',
  ]);
  expect(faults(days(31))).toEqual([
    'Flow demo keeps copies of its answers in Redis for 31 days, but the answers themselves for 30 days: lower copies.lifetime to that.',
  ]);
  expect(faults(days(3) - 1)).toHaveLength(1);
  expect(faults(days(30) + 1)).toHaveLength(1);
});

it('a flow with such copies does not start', () => {
  const declared = (lifetime: number) => () => defineFlow({ ...checkoutFlow, copies: { lifetime, because: 'a test' } });
  expect(declared(days(2))).toThrow(
    /for 2 days, but its senders retry for 3 days.*\nMend it in workflows\/checkout\.flow\.ts/,
  );
  expect(declared(days(31))).toThrow(/for 31 days, but the answers themselves for 30 days/);
  expect(declared(days(3))().copies?.lifetime).toBe(days(3));
});

it('each flow that copies says why', () => {
  const copying = flows.filter(({ copies }) => copies !== undefined);
  expect(copying.map(({ name }) => name)).toEqual(expect.arrayContaining(['checkout', 'refund', 'cancellation']));
  for (const { copies } of copying) expect(copies?.because.length).toBeGreaterThan(20);
});
