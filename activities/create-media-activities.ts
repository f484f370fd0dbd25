import { activitiesOf } from './engine/flow-activities.ts';
import { SystemGuards } from './engine/system-guards.ts';
import type { Activity } from './engine/named-activities.ts';
import type { Registration } from './registration.ts';
import type { MediaStores } from './stores.ts';

/** All activities of the media worker. Its steps call no outside system. */
export async function createMediaActivities(
  stores: MediaStores,
  registered: readonly Pick<Registration, 'flow' | 'media'>[],
): Promise<Record<string, Activity>> {
  const made = registered.map(async ({ flow, media }) => ({ flow, made: (await media?.(stores)) ?? {} }));
  return activitiesOf(stores.database, await Promise.all(made), new SystemGuards({}));
}
