import pino from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import type { Passed, Way } from '../../activities/relay/pass.ts';
import type { Leases } from '../../activities/stores/postgres/outbox/shard-leases.ts';
import { RelayLoop } from '../../workers/relay-loop.ts';

const shards = (count: number) => Array.from({ length: count }, (_, number) => ({ number, fence: 1n }));

type Scene = { keep?: () => Leases; prove?: () => void; pass?: (shard: number) => Promise<Passed>; due?: number[] };

function loopWith({ keep, prove, pass, due = [] }: Scene) {
  const left: number[] = [];
  const way: Way = {
    called: 'a broker',
    prove: async () => prove?.(),
    pass: async ({ number }) => (await pass?.(number)) ?? { state: 'done', more: false },
  };
  const loop = new RelayLoop({
    leases: {
      keep: async () => keep?.() ?? { shards: shards(16), share: 16 },
      leave: async (numbers) => void left.push(...numbers),
      due: async (numbers) => due.filter((number) => numbers.includes(number)),
    },
    way,
    log: pino({ level: 'silent' }),
  });
  onTestFinished(() => loop.stop());
  return { loop, left };
}

it('a shard with much to publish leaves turns to the others', async () => {
  const order: number[] = [];
  loopWith({
    due: [0, 1, 2, 3, 4, 5],
    pass: async (number) => {
      order.push(number);
      await new Promise((resolve) => setTimeout(resolve, 1));
      return { state: 'done', more: order.length < 60 };
    },
  });
  await expect.poll(() => order.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(60);
  expect(new Set(order.slice(0, 12))).toEqual(new Set([0, 1, 2, 3, 4, 5]));
});

it('what is beyond its share is given back, and nothing of it is published', async () => {
  const passed = new Set<number>();
  const { left } = loopWith({
    keep: () => ({ shards: shards(16), share: 8 }),
    due: Array.from({ length: 16 }, (_, number) => number),
    pass: async (number) => {
      passed.add(number);
      return { state: 'done', more: false };
    },
  });
  await expect.poll(() => passed.size, { timeout: 30_000 }).toBe(8);
  expect(left).toEqual([8, 9, 10, 11, 12, 13, 14, 15]);
  expect(Math.max(...passed)).toBe(7);
});

it('a broker that gives no answers is left alone, asked, and used again; meanwhile it says why', async () => {
  let away = true;
  let passes = 0;
  const { loop } = loopWith({
    due: [0],
    prove: () => {
      if (away && passes > 0) throw new Error('it is away');
    },
    pass: async () => {
      passes += 1;
      return away ? { state: 'away', detail: 'no answer' } : { state: 'done', more: false };
    },
  });
  await expect.poll(() => loop.why, { timeout: 30_000 }).toBe('it is away');
  expect(passes).toBe(1);
  away = false;
  await expect.poll(() => passes, { timeout: 30_000 }).toBeGreaterThan(1);
  expect(loop.why).toBeUndefined();
});

it('nothing leaves before it is proved that it can', async () => {
  let passes = 0;
  const { loop } = loopWith({
    due: [0],
    prove: () => {
      throw new Error('not this stream');
    },
    pass: async () => {
      passes += 1;
      return { state: 'done', more: false };
    },
  });
  await expect.poll(() => loop.why, { timeout: 30_000 }).toBe('not this stream');
  expect(passes).toBe(0);
});

it('a shard that another relay has taken is not published any more', async () => {
  let passes = 0;
  const { left, loop } = loopWith({
    keep: () => (passes === 0 ? { shards: shards(1), share: 16 } : { shards: [], share: 16 }),
    due: [0],
    pass: async () => {
      passes += 1;
      return { state: 'lost' };
    },
  });
  await expect.poll(() => passes, { timeout: 10_000 }).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, 500));
  await loop.stop();
  expect([passes, left]).toEqual([1, []]);
});
