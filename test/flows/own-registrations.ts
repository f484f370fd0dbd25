import { createActivities } from '../../activities/create-activities.ts';
import type { Activity } from '../../activities/engine/named-activities.ts';
import type { Registration } from '../../activities/registration.ts';
import type { Stores } from '../../activities/stores.ts';
import { registrations } from '../../workers/registrations.ts';
import { bookingActivities } from './booking/booking-activities.ts';
import { guestbookActivities } from './guestbook/guestbook-activities.ts';
import { oddActivities } from './odd/odd-activities.ts';

/** What the product's flows bring, and those of the test suite. A new flow of the tests adds its line here. */
export async function ownRegistrations(): Promise<readonly Registration[]> {
  return [...(await registrations()), ...bookingActivities, ...guestbookActivities, ...oddActivities];
}

/** The activities of all of them. */
export async function createFlowActivities(stores: Stores): Promise<Record<string, Activity>> {
  return createActivities(stores, await ownRegistrations());
}
