import { expect, it } from 'vitest';
import { z } from 'zod';
import { defineConsumer } from '../../activities/consume/define-consumer.ts';
import { windowFault } from '../../activities/consume/window-fault.ts';
import { consumers } from '../../activities/consumers/consumers.ts';
import { days, minutes } from '../../workflows/operation/duration.ts';
import { ownConsumers } from '../support/consumers/own-consumers.ts';

const { any } = ownConsumers();

it.each([
  ['a name that the broker does not take', { name: 'a.b' }, /lower-case letters/],
  ['no type', { types: {} }, /at least one type/],
  ['no subject', { from: { ...any.from, subjects: [] } }, /at least one subject/],
  ['a subject that names no tenant', { from: { ...any.from, subjects: ['orders.>'] } }, /orders\.> names no tenant/],
  [
    'a wait without a time',
    { order: { by: 'sequence', gap: 'wait', patience: 0, after: 'hold' } as const },
    /how long/,
  ],
])('a consumer is refused that declares %s', (_, changes, why) => {
  expect(() => defineConsumer({ ...any, ...changes })).toThrow(why);
});

it('messages of another’s stream belong to the tenant that the declaration names', () => {
  const from = { stream: 'ORDERS', subjects: ['orders.>'], tenancy: { tenant: 'alpha', environment: 'live' } } as const;
  expect(defineConsumer({ ...any, from, types: { a: z.unknown() } }).from).toEqual(from);
});

it('a window is refused that ends before the broker’s last delivery, with both numbers', () => {
  expect(windowFault({ ...any, window: days(8) }, days(7))).toBeUndefined();
  expect(windowFault({ ...any, window: 'forever' }, Number.POSITIVE_INFINITY)).toBeUndefined();
  expect(windowFault({ ...any, window: days(7) }, days(7))).toMatch(
    /for 7 days, and consumer any forgets ids after 7 days/,
  );
  expect(windowFault({ ...any, window: minutes(5) }, days(3))).toMatch(
    /for 3 days, .* after 5 minutes: declare a longer/,
  );
  expect(windowFault({ ...any, window: days(30) }, Number.POSITIVE_INFINITY)).toMatch(/keeps its messages for ever/);
});

it('the product’s consumers have names of their own', () => {
  expect(new Set(consumers.map(({ name }) => name)).size).toBe(consumers.length);
});
