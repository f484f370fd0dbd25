import { SystemGuards } from '../../activities/engine/system-guards.ts';
import { createActivities } from '../../activities/create-activities.ts';
import type { Activity } from '../../activities/engine/named-activities.ts';
import { connectSystems } from '../../activities/outside/connect-systems.ts';
import { usualProtection } from '../../activities/outside/protection.ts';
import { systems } from '../../activities/outside/systems.ts';
import type { Registration } from '../../activities/registration.ts';
import type { Stores } from '../../activities/stores.ts';
import { readSettings } from '../../workers/config.ts';
import { registrations } from '../../workers/registrations.ts';
import { unhurried } from '../support/unhurried-protection.ts';
import { bookingActivities } from './booking/booking-activities.ts';
import { guestbookActivities } from './guestbook/guestbook-activities.ts';
import { letterActivities } from './letter/letter-activities.ts';
import { type OwnClients, ownSystems } from './letter/letter-shop.ts';
import { oddActivities } from './odd/odd-activities.ts';

const ownFlows: readonly Registration[] = [...bookingActivities, ...guestbookActivities, ...oddActivities];

/** What the product's flows bring, and those of the test suite. A new flow of the tests adds its line here. */
export async function ownRegistrations(): Promise<readonly Registration<Stores & OwnClients>[]> {
  return [...(await registrations()), ...ownFlows, ...letterActivities];
}

/** Offices print tickets and draw maps. Each test has one of its own, whose address stands in the request. */
const office = { called: 'the office', protection: { ...usualProtection, ...unhurried } };

/** The guards of the product's systems and of those that only tests have. */
function ownGuards(): SystemGuards {
  const payments = { ...systems.payments, protection: { ...systems.payments.protection, ...unhurried } };
  return new SystemGuards({ ...systems, payments, ...ownSystems, office });
}

/**
 * The activities of all of them. The tests' own outside system is connected by the settings of the world, and its flow
 * is left out of a world without them.
 */
export async function createFlowActivities(
  stores: Stores,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Record<string, Activity>> {
  const guards = ownGuards();
  if (environment.LETTER_SHOP_URL === undefined)
    return createActivities(stores, [...(await registrations()), ...ownFlows], guards);
  const { clients } = await connectSystems(ownSystems, readSettings(ownSystems.letterShop.settings, environment));
  return createActivities({ ...stores, ...clients }, await ownRegistrations(), guards);
}
