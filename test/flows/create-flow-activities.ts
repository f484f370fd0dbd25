import { createActivities } from '../../activities/create-activities.ts';
import type { Activity } from '../../activities/engine/named-activities.ts';
import { flowActivities } from '../../activities/flows.ts';
import type { Stores } from '../../activities/stores.ts';
import { bookingActivities } from './booking/booking-activities.ts';
import { oddActivities } from './odd/odd-activities.ts';
import { guestbookActivities } from './guestbook/guestbook-activities.ts';

/** The product's activities, and those of the test suite's own flows. A new flow adds its line here. */
export function createFlowActivities(stores: Stores): Record<string, Activity> {
  return createActivities(stores, [...flowActivities, ...bookingActivities, ...guestbookActivities, ...oddActivities]);
}
