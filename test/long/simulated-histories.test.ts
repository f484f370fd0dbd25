import { expect, inject, test } from 'vitest';
import { Simulation } from '../support/simulation/simulate-histories.ts';

const first = Number(process.env.HAPAX_HISTORY_SEED ?? Date.now() % 1_000_000);
/** Ten thousand in all, a database for each thousand. */
const [databases, each] = [10, 1_000];

for (let n = 0; n < databases; n += 1) {
  const seed = first + n;
  test(`${each} simulated histories of orders end with money that adds up (seed ${seed})`, async ({
    onTestFinished,
  }) => {
    const simulation = await Simulation.create(inject('ground'));
    onTestFinished(() => simulation.close());
    expect(await simulation.run({ seed, count: each })).toEqual([]);
  });
}
