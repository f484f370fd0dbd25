import { type Config, readConfig } from '../../workers/config.ts';
import { s3Settings } from '../../workers/connect-s3.ts';
import { startOperations } from '../../workers/operations.ts';
import { runProcess } from '../../workers/process.ts';
import { type Harm, harmAt, watchedPorts } from './failpoint.ts';

/** The operations worker as it ships, except that it is killed or frozen when it reaches one boundary: HARM POINT. */
const [harm = 'kill', point = ''] = process.argv.slice(2);

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

const start = (config: Pick<Config, (typeof settings)[number]>) =>
  startOperations(config, (own) => watchedPorts(own, harmAt(point, harm as Harm)));

await runProcess('operations', () => start(readConfig(settings)));
