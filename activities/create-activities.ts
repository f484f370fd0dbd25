import { activitiesOf } from './engine/flow-activities.ts';
import { ledgerMoves } from './engine/ledger-moves.ts';
import type { Activity } from './engine/named-activities.ts';
import type { SystemGuards } from './engine/system-guards.ts';
import type { Registration } from './registration.ts';
import type { MediaStores } from './stores.ts';

/**
 * All activities of the operations worker, named by flow and step.
 * @param guards those of the outside systems that the steps call
 */
export function createActivities<Reach extends MediaStores>(
  stores: Reach,
  registered: readonly Registration<Reach>[],
  guards: SystemGuards,
): Record<string, Activity> {
  const { database } = stores;
  return {
    ...ledgerMoves(
      database,
      registered.map(({ flow }) => flow),
    ),
    ...activitiesOf(
      database,
      registered.flatMap(({ flow, steps }) => (steps === undefined ? [] : [{ flow, made: steps(stores) }])),
      guards,
    ),
  };
}
