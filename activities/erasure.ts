import { z } from 'zod';
import { erasureFlow } from '../workflows/erasure.flow.ts';
import { type SignaturesOf, stepsOf } from './engine/flow-activities.ts';
import { type StatementStep, statementActivities } from './engine/statement-step.ts';
import type { Clearing, Registration } from './registration.ts';
import { type DueErasure, dueErasures } from './stores/postgres/erasure/due-erasures.ts';
import { eraseBatch, eraseFirst, finishErasure } from './stores/postgres/erasure/erase-batch.ts';
import { recordErasure, reportErasure } from './stores/postgres/erasure/record-erasure.ts';
import type { Stores } from './stores.ts';

const request: StatementStep<{ readonly subject: string }, null> = {
  effect: ({ subject }, about) => recordErasure(subject, about, about.step),
  result: z.null(),
  refusal(_row, _input, { operation }) {
    throw new Error(`The erasure ${operation} was not recorded`);
  },
};

/** Several may run at once: what is erased stays so. */
const erase: StatementStep<null, { readonly erased: number; readonly open: number }> = {
  effect: (_input, { operation, step }) => eraseFirst(operation, step),
  result: z.object({ erased: z.number(), open: z.number() }),
  refusal(_row, _input, { operation }) {
    throw new Error(`The erasure ${operation} is not recorded`);
  },
};

const report: StatementStep<null, null> = {
  effect: (_input, { operation, step }) => reportErasure(operation, step),
  result: z.null(),
  refusal(_row, _input, { operation }) {
    throw new Error(`The erasure ${operation} is not recorded`);
  },
};

/** What was open when its erasure was asked for and has settled since, and what was more than one batch. */
const clearing: Clearing<DueErasure> = {
  name: 'erasures',
  due: dueErasures,
  async clear({ database }, due) {
    while ((await eraseBatch(database, due)) > 0);
    await finishErasure(database, due);
    return { objects: 0, bytes: 0 };
  },
};

function steps({ database }: Stores) {
  return stepsOf<typeof erasureFlow>()({
    request: statementActivities(database, request),
    erase: statementActivities(database, erase),
    report: statementActivities(database, report),
  });
}

export type ErasureSteps = SignaturesOf<ReturnType<typeof steps>>;

export const registration: Registration = { flow: erasureFlow, steps, clearing };
