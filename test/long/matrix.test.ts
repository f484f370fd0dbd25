import { expect, inject, test } from 'vitest';
import { ownOperations } from '../flows/own-operations.ts';
import { faultCases, shuffled } from '../support/matrix/fault-cases.ts';
import { exampleOf } from '../support/matrix/flow-callers.ts';
import { runMatrix } from '../support/matrix/run-matrix.ts';
import { seededRandom } from '../support/seeded-random.ts';

const flows = ownOperations.map(({ flow }) => flow).filter((flow) => exampleOf(flow) !== undefined);
const first = Number(process.env.HAPAX_MATRIX_SEED ?? Date.now() % 1_000_000);

// A seed decides which cases stand together when their worker is killed.
for (const seed of [first, first + 1, first + 2])
  test(`every case of every flow ends as it should (seed ${seed})`, async () => {
    const cases = shuffled(flows.flatMap(faultCases), seededRandom(seed));
    expect(await runMatrix(inject('ground'), cases)).toEqual([]);
  });
