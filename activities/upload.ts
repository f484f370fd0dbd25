import { uploadFlow } from '../workflows/upload.flow.ts';
import { assembleStep } from './assemble.ts';
import { finalize, publish } from './assets.ts';
import { awaitedActivities } from './engine/await-step.ts';
import { type SignaturesOf, stepsOf } from './engine/flow-activities.ts';
import { outsideActivities } from './engine/outside-step.ts';
import { statementActivities } from './engine/statement-step.ts';
import { objectSteps } from './objects.ts';
import type { Registration } from './registration.ts';
import { purgeAssets } from './purge-assets.ts';
import { removeObjects } from './remove-objects.ts';
import { forgetContents } from './stores/postgres/uploads/collected-content.ts';
import type { Stores } from './stores.ts';
import type { UploadMediaSteps } from './upload-media.ts';

/** How the steps of an upload are done, besides what the media worker does. */
function steps({ database, objects }: Stores) {
  const { receive, verify, tidy } = objectSteps(database, objects);
  return stepsOf<typeof uploadFlow>()({
    receive: awaitedActivities(database, receive),
    assemble: outsideActivities(database, assembleStep(database, objects)),
    verify: outsideActivities(database, verify),
    finalize: statementActivities(database, finalize),
    tidy: outsideActivities(database, tidy),
    publish: statementActivities(database, publish),
  });
}

export type UploadSteps = SignaturesOf<ReturnType<typeof steps>> & UploadMediaSteps;

export const registration: Registration = {
  flow: uploadFlow,
  steps,
  media: async (stores) => (await import('./upload-media.ts')).uploadMedia(stores),
  clearing: purgeAssets,
  // An upload's objects are found by their prefix, reported or not.
  async sweep({ database, objects }, about) {
    const removed = await removeObjects(database, objects, about, true);
    await forgetContents(database, about.tenant, about.operation);
    return removed;
  },
};
