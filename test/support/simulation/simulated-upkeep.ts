import { dueOperations, lookAtEverything } from '../../../activities/stores/postgres/upkeep/due-operations.ts';
import { milliseconds, seconds } from '../../../workflows/operation/duration.ts';
import pLimit from 'p-limit';
import type { OneTenantsDatabase } from './simulated-database.ts';
import type { SimulatedWorkflows } from './simulated-workflows.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Between two looks: upkeep's own pause at first, and longer ones in a history that waits for a buyer. */
const pauses = { first: milliseconds(500), growth: 1.3, longest: seconds(10) } as const;

/** One look at a time in all histories, since upkeep leaves everything to another one that it meets. */
const turn = pLimit(1);

/** Starts what nobody has started, as upkeep does, until `isOver`. It finds that by the statements of upkeep itself. */
export async function keepUp(
  time: VirtualTime,
  database: OneTenantsDatabase,
  workflows: SimulatedWorkflows,
  isOver: () => boolean,
): Promise<void> {
  for (let pause: number = pauses.first; !isOver(); pause = Math.min(pauses.longest, pause * pauses.growth)) {
    await time.until(isOver, pause);
    // PostgreSQL may be away: the next look tries again.
    if (!isOver()) await look(database, workflows).catch(() => undefined);
  }
}

async function look(database: OneTenantsDatabase, workflows: SimulatedWorkflows): Promise<void> {
  if (workflows.lost) {
    await lookAtEverything(database);
    workflows.lost = false;
  }
  for (const { id, tenant, environment, flow, key, keySubject, generation, news } of await turn(() =>
    dueOperations(database, 100),
  )) {
    const scope = { tenant, environment, subject: keySubject, flow, key };
    const operation = { id, tenant, environment, flow, scope, generation };
    if (news === null) await workflows.startAgain(operation);
    else await workflows.startAndSignal(operation, news);
  }
}
