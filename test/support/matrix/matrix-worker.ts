import { readFileSync } from 'node:fs';
import { createMediaActivities } from '../../../activities/create-media-activities.ts';
import { readConfig } from '../../../workers/config.ts';
import { mediaSettings, startMedia } from '../../../workers/media.ts';
import { operationsSettings, startOperations } from '../../../workers/operations.ts';
import { runProcess } from '../../../workers/process.ts';
import { registry } from '../../../workers/telemetry.ts';
import { createFlowActivities, ownRegistrations } from '../../flows/own-registrations.ts';
import { ownOperations } from '../../flows/own-operations.ts';
import { loseAnswers } from '../boundaries/lose-answers.ts';
import { type Plan, PlannedFaults } from './planned-faults.ts';
import { watchedActivities } from '../boundaries/watched-activities.ts';
import { watchedDatabase } from '../boundaries/watched-database.ts';

/** The workers of all flows in one process, in which each operation meets its own faults: PLANS is a file. */
const [plans = ''] = process.argv.slice(2);
const planned = JSON.parse(readFileSync(plans, 'utf8')) as Record<string, Plan>;
const faults = new PlannedFaults(planned);
const flows = ownOperations.map(({ flow }) => flow);
loseAnswers(faults);
// SIGUSR2 would stop Temporal's worker.
process.on('SIGHUP', () => faults.release());

await runProcess('matrix', async () => {
  const operations = await startOperations(
    readConfig(operationsSettings),
    (own) => ({ ...own, database: watchedDatabase(own.database, faults) }),
    async (stores) => watchedActivities(await createFlowActivities(stores), flows, faults),
  );
  // A process of ours counts for one worker.
  registry.clear();
  const media = await startMedia(
    readConfig(mediaSettings),
    (own) => ({ ...own, database: watchedDatabase(own.database, faults) }),
    async (stores) => watchedActivities(await createMediaActivities(stores, await ownRegistrations()), flows, faults),
    // All of a batch, and those of the batch before, may stand in it together.
    Object.keys(planned).length * 2 + 2,
  );
  return {
    address: operations.address,
    ended: Promise.race([operations.ended, media.ended]),
    stop: async () => void (await Promise.all([operations.stop(), media.stop()])),
  };
});
