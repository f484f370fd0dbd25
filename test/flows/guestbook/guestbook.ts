import { operation } from '../../../workflows/engine/operation.ts';
import { finish, step } from '../../../workflows/engine/step.ts';
import type { GuestbookSteps } from './guestbook-activities.ts';
import { guestbookFlow } from './guestbook.flow.ts';

export const guestbook = operation<typeof guestbookFlow, GuestbookSteps>(guestbookFlow, async (story) => {
  const { page, words } = story.request;
  const { line } = await step(story, 'sign', { page, words });
  await finish(story, 'stamp', null, { line });
});
