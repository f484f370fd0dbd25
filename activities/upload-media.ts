import type { uploadFlow } from '../workflows/upload.flow.ts';
import { mediaStepsOf, type SignaturesOf } from './engine/flow-activities.ts';
import { type OutsideStep, outsideActivities } from './engine/outside-step.ts';
import { makeThumbnails, type Picture, type Thumbnail } from './make-thumbnails.ts';
import type { MediaStores } from './stores.ts';

/**
 * What the media worker does for an upload. It decodes what strangers send, so it gets no key of the payment provider.
 */
export function uploadMedia({ database, objects }: MediaStores) {
  const thumbnails: OutsideStep<Picture, Picture, { readonly thumbnails: readonly Thumbnail[] }> = {
    request: (picture) => picture,
    send: async (picture, about) => ({ thumbnails: await makeThumbnails(database, objects, picture, about) }),
  };
  return mediaStepsOf<typeof uploadFlow>()({ thumbnails: outsideActivities(database, thumbnails) });
}

export type UploadMediaSteps = SignaturesOf<ReturnType<typeof uploadMedia>>;
