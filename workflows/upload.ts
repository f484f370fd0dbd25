import type { UploadSteps } from '../activities/upload.ts';
import { attempt } from './engine/attempt.ts';
import { awaitStep } from './engine/await-step.ts';
import { operation } from './engine/operation.ts';
import type { Story } from './engine/story.ts';
import type { Refusal } from './operation/outcome.ts';
import { finish, step } from './engine/step.ts';
import { uploadFlow } from './upload.flow.ts';

/** A file is awaited, verified and placed. Then it gets thumbnails, and is ready even if they fail. */
export const upload = operation<typeof uploadFlow, UploadSteps>(uploadFlow, async (story) => {
  const { name, type, destination, sha256: declared, dedup = 'account', whenSame, strict, readers } = story.request;
  const received = await bytesOf(story);
  const { size = received.size } = story.request;
  const check = { received, size, type, sha256: declared, strict };
  const { sha256, shown, evidence } = await step(story, 'verify', check);
  const file = { name, size, type, sha256, destination };
  const placed = await step(story, 'finalize', {
    ...file,
    objectKey: received.objectKey,
    dedup,
    whenSame,
    evidence,
    readers,
  });
  const { assetId, content, deduplicated, replaces } = placed;
  const tidied = await step(story, 'tidy', { content, brought: received.objectKey, kept: placed.objectKey });
  const { objectKey = placed.objectKey } = tidied;
  const pictures = await attempt(story, 'thumbnails', { content, objectKey, size, shown });
  const thumbnails = pictures.kind === 'done' ? [...pictures.result.thumbnails] : [];
  const failures = pictures.kind === 'done' ? [] : [failed('thumbnails', pictures.refusal)];
  const derivatives = madeOf(thumbnails, failures);
  const replaced = replaces === undefined || replaces.length === 0 ? {} : { replaces: [...replaces] };
  await finish(
    story,
    'publish',
    { assetId, derivatives },
    { ...file, assetId, deduplicated, ...replaced, thumbnails, failures },
  );
});

/** Waits for the bytes. Those that came in pieces are put together. */
async function bytesOf(story: Story<typeof uploadFlow, UploadSteps>) {
  const received = await awaitStep(story, 'receive');
  if (received.inPieces !== true) return received;
  const { size, joins, crc64nvme } = received;
  const { objectKey } = await step(story, 'assemble', { size, type: story.request.type, joins, crc64nvme });
  return { ...received, objectKey };
}

/** What is kept with the content, so that its assets tell it when this answer is forgotten. */
function madeOf(thumbnails: readonly object[], [failure]: readonly { code: string; detail: string }[]) {
  if (failure !== undefined) {
    const { code, detail } = failure;
    return [{ name: 'thumbnails', state: 'failed', files: [], code, detail } as const];
  }
  return thumbnails.length === 0 ? [] : [{ name: 'thumbnails', state: 'done', files: thumbnails } as const];
}

function failed(name: string, { code, detail }: Refusal) {
  return { step: name, code, detail };
}
