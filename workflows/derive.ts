import type { DeriveSteps } from '../activities/derive.ts';
import { deriveFlow } from './derive.flow.ts';
import { attempt } from './engine/attempt.ts';
import { operation } from './engine/operation.ts';
import { finish } from './engine/step.ts';

/** What is made of a content is made again, and kept with it: what was made, or why not. */
export const derive = operation<typeof deriveFlow, DeriveSteps>(deriveFlow, async (story) => {
  const { content, derivative } = story.request;
  const made = await attempt(story, 'thumbnails', { content });
  const kept =
    made.kind === 'done'
      ? ({ state: 'done', files: [...made.result.thumbnails] } as const)
      : ({ state: 'failed', files: [], code: made.refusal.code, detail: made.refusal.detail } as const);
  await finish(story, 'record', { content, derivative: { name: derivative, ...kept } }, { derivative, ...kept });
});
