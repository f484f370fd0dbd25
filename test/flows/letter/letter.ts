import { operation } from '../../../workflows/engine/operation.ts';
import { finish, step } from '../../../workflows/engine/step.ts';
import type { LetterSteps } from './letter-activities.ts';
import { letterFlow } from './letter.flow.ts';

export const letter = operation<typeof letterFlow, LetterSteps>(letterFlow, async (story) => {
  const { words } = story.request;
  await step(story, 'post', { words });
  await finish(story, 'enter', { words }, { posted: true });
});
