import type { uploadFlow } from '../workflows/upload.flow.ts';
import { mediaStepsOf, type SignaturesOf } from './engine/flow-activities.ts';
import { outsideActivities } from './engine/outside-step.ts';
import { mediaSteps } from './media.ts';
import type { MediaStores } from './stores.ts';

/**
 * What the media worker does for an upload. It decodes what strangers send, so it gets no key of the payment provider.
 */
export function uploadMedia({ database, objects }: MediaStores) {
  const { thumbnails } = mediaSteps(database, objects);
  return mediaStepsOf<typeof uploadFlow>()({ thumbnails: outsideActivities(database, thumbnails) });
}

export type UploadMediaSteps = SignaturesOf<ReturnType<typeof uploadMedia>>;
