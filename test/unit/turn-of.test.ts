import { expect, it } from 'vitest';
import { furthestAhead, type Sequenced, turnOf } from '../../activities/consume/turn-of.ts';

const wait: Sequenced = { by: 'sequence', gap: 'wait', patience: 1, after: 'hold' };
const skip: Sequenced = { by: 'sequence', gap: 'skip' };

it('an order without gaps lets the next one run, and has those behind it wait', () => {
  expect([6, 7, 8, 9].map((sequence) => turnOf(wait, 7, sequence, false))).toEqual(['stale', 'stale', 'run', 'wait']);
  expect(turnOf(wait, 0, 1, false)).toBe('run');
});

it('an order that skips lets everything newer run', () => {
  expect([6, 7, 8, 900].map((sequence) => turnOf(skip, 7, sequence, false))).toEqual(['stale', 'stale', 'run', 'run']);
});

it('a message that goes over a gap runs, and is stale or too far all the same', () => {
  expect([7, 8, 9].map((sequence) => turnOf(wait, 7, sequence, true))).toEqual(['stale', 'run', 'run']);
  expect(turnOf(wait, 7, 8 + furthestAhead, true)).toBe('too-far');
});

it('a sequence is too far ahead from 100,001 on', () => {
  for (const order of [wait, skip]) {
    expect(turnOf(order, 7, 7 + furthestAhead, false)).not.toBe('too-far');
    expect(turnOf(order, 7, 8 + furthestAhead, false)).toBe('too-far');
  }
});
