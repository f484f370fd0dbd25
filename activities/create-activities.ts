import { activitiesOf } from './engine/flow-activities.ts';
import { ledgerMoves } from './engine/ledger-moves.ts';
import type { Activity } from './engine/named-activities.ts';
import type { Registration } from './registration.ts';
import type { MediaStores } from './stores.ts';

/** All activities of the operations worker, named by flow and step. */
export function createActivities<Reach extends MediaStores>(
  stores: Reach,
  registered: readonly Registration<Reach>[],
): Record<string, Activity> {
  const { database } = stores;
  return {
    ...ledgerMoves(database),
    ...activitiesOf(
      database,
      registered.map(({ flow, steps }) => ({ flow, made: steps(stores) })),
    ),
  };
}
