import { z } from 'zod';
import { deriveFlow } from '../workflows/derive.flow.ts';
import type { DeriveMediaSteps } from './derive-media.ts';
import { type SignaturesOf, stepsOf } from './engine/flow-activities.ts';
import { type StatementStep, statementActivities } from './engine/statement-step.ts';
import type { Registration } from './registration.ts';
import { recordDerivative } from './stores/postgres/assets/record-derivative.ts';
import type { MadeDerivative } from './stores/postgres/uploads/publish-asset.ts';
import type { Stores } from './stores.ts';

type Made = { readonly content: string; readonly derivative: MadeDerivative };

const record: StatementStep<Made, null> = {
  effect: ({ content, derivative }, { operation, step }) => recordDerivative(operation, step, content, derivative),
  result: z.null(),
  refusal: () => ({ code: 'bytes-missing', detail: 'The file was deleted meanwhile.' }),
};

function steps({ database }: Stores) {
  return stepsOf<typeof deriveFlow>()({ record: statementActivities(database, record) });
}

export type DeriveSteps = SignaturesOf<ReturnType<typeof steps>> & DeriveMediaSteps;

export const registration: Registration = {
  flow: deriveFlow,
  steps,
  media: async (stores) => (await import('./derive-media.ts')).deriveMedia(stores),
};
