import { expect, inject, test } from 'vitest';
import { flows } from '../../workflows/flows.ts';
import { ownOperations } from '../flows/own-operations.ts';
import { faultCases, sampled, shuffled } from '../support/matrix/fault-cases.ts';
import { exampleOf } from '../support/matrix/flow-callers.ts';
import { runMatrix } from '../support/matrix/run-matrix.ts';
import { seededRandom } from '../support/seeded-random.ts';

const own = ownOperations.map(({ flow }) => flow).filter((flow) => exampleOf(flow) !== undefined);

test('each flow of the product that a workflow tells is in the fault matrix', () => {
  const told = flows.filter(({ workflow }) => workflow === 'tells');
  expect(told.filter((flow) => !own.includes(flow)).map(({ name }) => `${name} has no example`)).toEqual([]);
});

const seed = Number(process.env.HAPAX_MATRIX_SEED ?? Date.now() % 1_000_000);

test(`each step is killed at each boundary, loses its answers and is cancelled, in some flow (seed ${seed})`, async () => {
  const random = seededRandom(seed);
  const cases = shuffled(sampled(own.flatMap(faultCases), random), random);
  expect(await runMatrix(inject('ground'), cases)).toEqual([]);
}, 420_000);
