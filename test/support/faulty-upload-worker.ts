import { readConfig } from '../../workers/config.ts';
import { operationsSettings, startOperations } from '../../workers/operations.ts';
import { runProcess } from '../../workers/process.ts';
import { harmAt, watchedPorts } from './failpoint.ts';
import { watchedObjects } from './watched-objects.ts';

/** The operations worker as it ships, except that it is killed when it reaches one boundary of ledger or store: POINT. */
const [point = ''] = process.argv.slice(2);

const reach = harmAt(point, 'kill');
await runProcess('operations', () =>
  startOperations(readConfig(operationsSettings), (own) => ({
    ...watchedPorts(own, reach),
    objects: watchedObjects(own.objects, reach),
  })),
);
