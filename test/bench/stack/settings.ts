import { systemSettings } from '../../../activities/outside/systems.ts';
import { type Config, readConfig } from '../../../workers/config.ts';
import { callerSettings } from '../../../workers/callers.ts';
import { s3Settings } from '../../../workers/connect-s3.ts';
import { payloadSettings } from '../../../workers/payload-codec.ts';
import { sealSettings } from '../../../workers/seals.ts';
import { sealKeys } from '../../support/seal-keys.ts';
import type { WorkerSettings } from './worker-settings.ts';

/** Signs the events of the bench. */
export const eventSecret = 'whsec_of_the_bench';

/** Checkouts touch no objects: nobody needs to be at the S3 address. */
const environment = ({ databaseUrl, temporalAddress, stripe, taskQueue, bundle }: WorkerSettings) => ({
  DATABASE_URL: databaseUrl,
  TEMPORAL_ADDRESS: temporalAddress,
  STRIPE_API_BASE: stripe,
  STRIPE_SECRET_KEY: 'sk_test_bench',
  S3_ENDPOINT: 'http://127.0.0.1:9',
  S3_ACCESS_KEY_ID: 'bench',
  S3_SECRET_ACCESS_KEY: 'bench-secret',
  HAPAX_TASK_QUEUE: taskQueue,
  HAPAX_WORKFLOW_BUNDLE: bundle,
  HAPAX_LOG_LEVEL: 'warn',
  HAPAX_SEAL_KEYS: sealKeys,
  // Nothing else is to run meanwhile.
  HAPAX_RECONCILE_MINUTES: '0',
  HAPAX_HTTP_PORT: '0',
  HAPAX_TOKENS: 'local-alpha=alpha:test:ada',
  HAPAX_WEBHOOKS: JSON.stringify({
    stripe: { scheme: 'stripe', tenant: 'alpha', environment: 'test', secrets: [eventSecret] },
  }),
  // The bench is one caller, who asks for more than a person would.
  HAPAX_NEW_PER_MINUTE: '1000000',
  HAPAX_ASKS_PER_KEY: '1000000',
});

/** Everything that a process of ours may be told, as if it stood in the environment. */
export function benchConfig(settings: WorkerSettings): Config {
  return readConfig(
    [
      'DATABASE_URL',
      'TEMPORAL_ADDRESS',
      'TEMPORAL_NAMESPACE',
      ...systemSettings,
      ...s3Settings,
      'HAPAX_TASK_QUEUE',
      'HAPAX_WORKFLOW_BUNDLE',
      'HAPAX_PROTECTION',
      'HAPAX_RECONCILE_MINUTES',
      'HAPAX_HEALTH_HOST',
      'HAPAX_HEALTH_PORT',
      'HAPAX_LOG_LEVEL',
      ...sealSettings,
      ...payloadSettings,
      'HAPAX_HTTP_HOST',
      'HAPAX_HTTP_PORT',
      'HAPAX_PUBLIC_URL',
      'HAPAX_TAKEN_ADDRESSES',
      ...callerSettings.filter((name) => name !== 'DATABASE_URL'),
      'HAPAX_NEW_PER_MINUTE',
      'HAPAX_ASKS_PER_KEY',
      'HAPAX_CORS_ORIGINS',
      'HAPAX_WEBHOOKS',
      'HAPAX_ANSWER_CACHE',
      'REDIS_URL',
    ],
    environment(settings),
  ) as Config;
}
