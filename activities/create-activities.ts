import { activitiesOf, type FlowActivities } from './engine/flow-activities.ts';
import { ledgerMoves } from './engine/ledger-moves.ts';
import type { Activity } from './engine/named-activities.ts';
import { flowActivities } from './flows.ts';
import type { Stores } from './stores.ts';

/** All activities of the operations worker, named by flow and step. */
export function createActivities(
  stores: Stores,
  flows: readonly FlowActivities<Stores>[] = flowActivities,
): Record<string, Activity> {
  return { ...ledgerMoves(stores.database), ...activitiesOf(flows, stores) };
}
