import { expect, inject, test } from 'vitest';
import { moneyHistories } from '../support/histories/money-history.ts';
import { runHistories } from '../support/histories/money-run.ts';
import { World } from '../support/world.ts';

const first = Number(process.env.HAPAX_HISTORY_SEED ?? Date.now() % 1_000_000);
/** A thousand in all, a world for each hundred: what one has booked is read at its end. */
const [worlds, each] = [10, 100];

for (let n = 0; n < worlds; n += 1) {
  const seed = first + n;
  test(`${each} histories of orders end with money that adds up (seed ${seed})`, async ({ onTestFinished }) => {
    const world = await World.create(inject('ground'), { workers: 2 });
    onTestFinished(() => world.close());
    expect(await runHistories(world, moneyHistories(seed, each), seed)).toEqual([]);
  });
}
