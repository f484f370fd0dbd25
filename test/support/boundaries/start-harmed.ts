import { createFlowActivities } from '../../flows/own-registrations.ts';
import { ownOperations } from '../../flows/own-operations.ts';
import { readConfig } from '../../../workers/config.ts';
import { operationsSettings, type Ports, startOperations } from '../../../workers/operations.ts';
import { runProcess } from '../../../workers/process.ts';
import { ofAnyOperation, type Reach } from './harm-at.ts';
import { watchedActivities } from './watched-activities.ts';
import { watchedDatabase } from './watched-database.ts';

const flows = ownOperations.map(({ flow }) => flow);

/** Runs the operations worker as it ships, and the tests' own flows where its bundle has them, with boundaries. */
export async function startHarmed(reach: Reach, ports: (own: Ports) => Ports = (own) => own): Promise<void> {
  const boundaries = ofAnyOperation(reach);
  await runProcess('operations', () =>
    startOperations(
      readConfig(operationsSettings),
      (own) => ports({ ...own, database: watchedDatabase(own.database, boundaries) }),
      async (stores) => watchedActivities(await createFlowActivities(stores), flows, boundaries),
    ),
  );
}
