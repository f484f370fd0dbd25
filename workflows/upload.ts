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
  const { name, type, destination, sha256: declared, dedup = 'account', whenSame } = story.request;
  const received = await bytesOf(story);
  const { size = received.size } = story.request;
  const { sha256, shown } = await step(story, 'verify', { received, size, type, sha256: declared });
  const file = { name, size, type, sha256, destination };
  const placed = await step(story, 'finalize', { ...file, objectKey: received.objectKey, dedup, whenSame });
  await step(story, 'tidy', null);
  const { assetId, content, objectKey, deduplicated, replaces } = placed;
  const pictures = await attempt(story, 'thumbnails', { content, objectKey, size, shown });
  const thumbnails = pictures.kind === 'done' ? [...pictures.result.thumbnails] : [];
  const failures = pictures.kind === 'done' ? [] : [failed('thumbnails', pictures.refusal)];
  const replaced = replaces === undefined || replaces.length === 0 ? {} : { replaces: [...replaces] };
  await finish(story, 'publish', { assetId }, { ...file, assetId, deduplicated, ...replaced, thumbnails, failures });
});

/** Waits for the bytes. Those that came in pieces are put together. */
async function bytesOf(story: Story<typeof uploadFlow, UploadSteps>) {
  const received = await awaitStep(story, 'receive');
  if (received.inPieces !== true) return received;
  const { size, joins, crc64nvme } = received;
  const { objectKey } = await step(story, 'assemble', { size, type: story.request.type, joins, crc64nvme });
  return { ...received, objectKey };
}

function failed(name: string, { code, detail }: Refusal) {
  return { step: name, code, detail };
}
