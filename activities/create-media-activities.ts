import { mediaSteps } from './media.ts';
import { type Activity, namedActivities } from './engine/named-activities.ts';
import { outsideActivities } from './engine/outside-step.ts';
import type { Database } from './stores/postgres/database.ts';
import type { ObjectStore } from './stores/s3/object-store.ts';

/** All activities of the media worker: it decodes what strangers send, so that it is given no key to a payment. */
export function createMediaActivities(stores: {
  readonly database: Database;
  readonly objects: ObjectStore;
}): Record<string, Activity> {
  const { database, objects } = stores;
  const { thumbnails } = mediaSteps(database, objects);
  return namedActivities(database, 'upload', { thumbnails: outsideActivities(database, thumbnails) });
}
