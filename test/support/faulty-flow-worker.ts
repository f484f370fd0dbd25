import { readConfig } from '../../workers/config.ts';
import { operationsSettings, startOperations } from '../../workers/operations.ts';
import { runProcess } from '../../workers/process.ts';
import { createFlowActivities } from '../flows/own-registrations.ts';
import { type Harm, harmAt, watchedPorts } from './failpoint.ts';

/** The worker of the test suite's own flows, which is killed or frozen when it reaches one boundary: HARM POINT. */
const [harm = 'kill', point = ''] = process.argv.slice(2);

await runProcess('operations', () =>
  startOperations(
    readConfig(operationsSettings),
    (own) => watchedPorts(own, harmAt(point, harm as Harm)),
    createFlowActivities,
  ),
);
