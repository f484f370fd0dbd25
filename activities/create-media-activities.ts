import { activitiesOf } from './engine/flow-activities.ts';
import type { Activity } from './engine/named-activities.ts';
import { mediaFlowActivities } from './media-flows.ts';
import type { MediaStores } from './stores.ts';

/** All activities of the media worker. */
export function createMediaActivities(stores: MediaStores): Record<string, Activity> {
  return activitiesOf(mediaFlowActivities, stores);
}
