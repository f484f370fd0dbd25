import { readConfig } from '../../workers/config.ts';
import { s3Settings } from '../../workers/connect-s3.ts';
import { startOperations } from '../../workers/operations.ts';
import { runProcess } from '../../workers/process.ts';
import { harmAt, watchedPorts } from './failpoint.ts';
import { watchedObjects } from './watched-objects.ts';

/** The operations worker as it ships, except that it is killed when it reaches one boundary of ledger or store: POINT. */
const [point = ''] = process.argv.slice(2);

const settings = [
  'DATABASE_URL',
  'TEMPORAL_ADDRESS',
  'TEMPORAL_NAMESPACE',
  'STRIPE_API_BASE',
  'STRIPE_SECRET_KEY',
  ...s3Settings,
  'HAPAX_TASK_QUEUE',
  'HAPAX_WORKFLOW_BUNDLE',
  'HAPAX_HEALTH_PORT',
  'HAPAX_LOG_LEVEL',
] as const;

const reach = harmAt(point, 'kill');
await runProcess('operations', () =>
  startOperations(readConfig(settings), (own) => ({
    ...watchedPorts(own, reach),
    objects: watchedObjects(own.objects, reach),
  })),
);
