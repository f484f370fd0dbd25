import type { deriveFlow } from '../workflows/derive.flow.ts';
import { mediaStepsOf, type SignaturesOf } from './engine/flow-activities.ts';
import { type OutsideStep, outsideActivities } from './engine/outside-step.ts';
import { sniffLength, sniffType } from './file-type/sniff-type.ts';
import { makeThumbnails, type Thumbnail } from './make-thumbnails.ts';
import { Refused } from './stores/outcomes/refused.ts';
import { liveContent } from './stores/postgres/assets/live-content.ts';
import { readStart } from './stores/s3/read-object.ts';
import type { MediaStores } from './stores.ts';

type Wanted = { readonly content: string };

/** What the media worker does to make again what is made of a content. */
export function deriveMedia({ database, objects }: MediaStores) {
  const thumbnails: OutsideStep<Wanted, Wanted, { readonly thumbnails: readonly Thumbnail[] }> = {
    request: (wanted) => wanted,
    async send({ content }, about) {
      const live = await liveContent(database, about.tenant, content);
      if (live === undefined)
        throw new Refused({ code: 'bytes-missing', detail: 'The file was deleted, or the object store has lost it.' });
      const { objectKey, size } = live;
      const shown = live.shown ?? (await sniffType(await readStart(objects, objectKey, size, sniffLength)));
      return { thumbnails: await makeThumbnails(database, objects, { content, objectKey, size, shown }, about) };
    },
  };
  return mediaStepsOf<typeof deriveFlow>()({ thumbnails: outsideActivities(database, thumbnails) });
}

export type DeriveMediaSteps = SignaturesOf<ReturnType<typeof deriveMedia>>;
