import type { Stores } from '../../../activities/create-activities.ts';
import { type Activity, namedActivities } from '../../../activities/engine/named-activities.ts';
import { rowActivities } from '../../../activities/engine/row-step.ts';
import { sign, stamp } from './entry-steps.ts';

export function guestbookActivities({ database }: Stores): Record<string, Activity> {
  return namedActivities(database, 'guestbook', {
    sign: rowActivities(database, sign),
    stamp: rowActivities(database, stamp),
  });
}
