import { operation } from '../../../workflows/engine/operation.ts';
import { finish, step } from '../../../workflows/engine/step.ts';
import type { EntrySteps } from './entry-steps.ts';
import { guestbookFlow } from './guestbook.flow.ts';

export const guestbook = operation<typeof guestbookFlow, EntrySteps>(guestbookFlow, async (story) => {
  const { page, words } = story.request;
  const { line } = await step(story, 'sign', { page, words });
  await finish(story, 'stamp', null, { line });
});
