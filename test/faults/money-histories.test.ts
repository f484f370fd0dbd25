import { expect, inject, test } from 'vitest';
import { moneyHistories } from '../support/histories/money-history.ts';
import { runHistories } from '../support/histories/money-run.ts';
import { World } from '../support/world.ts';

const seed = Number(process.env.HAPAX_HISTORY_SEED ?? Date.now() % 1_000_000);
const count = 25;

test(`${count} histories of orders end with money that adds up, whatever is killed, lost and repeated (seed ${seed})`, async ({
  onTestFinished,
}) => {
  const world = await World.create(inject('ground'), { workers: 2 });
  onTestFinished(() => world.close());
  expect(await runHistories(world, moneyHistories(seed, count), seed)).toEqual([]);
}, 420_000);
