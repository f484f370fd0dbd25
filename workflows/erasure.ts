import type { ErasureSteps } from '../activities/erasure.ts';
import { operation } from './engine/operation.ts';
import { finish, step } from './engine/step.ts';
import { erasureFlow } from './erasure.flow.ts';

/** The wish is recorded first, so that it is followed whatever becomes of this story. */
export const erasure = operation<typeof erasureFlow, ErasureSteps>(erasureFlow, async (story) => {
  const { subject } = story.request;
  await step(story, 'request', { subject });
  const { erased, open } = await step(story, 'erase', null);
  await finish(story, 'report', null, { subject, erased, open });
});
