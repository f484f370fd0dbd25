import { createActivities } from '../activities/create-activities.ts';
import { Reconciler } from '../activities/reconcile/reconciler.ts';
import { Database } from '../activities/stores/postgres/database.ts';
import { connectSystems } from '../activities/outside/connect-systems.ts';
import { systemSettings, systems } from '../activities/outside/systems.ts';
import type { ObjectStore } from '../activities/stores/s3/object-store.ts';
import type { Stores } from '../activities/stores.ts';
import { bundleWorkflows } from './bundle.ts';
import { type Config, readConfig } from './config.ts';
import { connectS3, s3Settings } from './connect-s3.ts';
import { Ground } from './ground.ts';
import { createLogger } from './logger.ts';
import { healthSettings, type Running, runProcess } from './process.ts';
import { registrations } from './registrations.ts';
import { runWorker } from './run-worker.ts';
import { systemGuards } from './system-guards.ts';
import { countFlushes } from './telemetry.ts';
import { payloadSettings } from './payload-codec.ts';
import { readSeals, sealSettings } from './seals.ts';

export const operationsSettings = [
  'DATABASE_URL',
  'TEMPORAL_ADDRESS',
  'TEMPORAL_NAMESPACE',
  ...systemSettings,
  ...s3Settings,
  'HAPAX_TASK_QUEUE',
  'HAPAX_WORKFLOW_BUNDLE',
  'HAPAX_PROTECTION',
  'HAPAX_TAKEN_ADDRESSES',
  ...sealSettings,
  ...payloadSettings,
  ...healthSettings,
  'HAPAX_LOG_LEVEL',
] as const;

type Guards = ReturnType<typeof systemGuards>;

/** The stores that the worker uses. A test passes its own, to stop the worker at a boundary. */
export type Ports = { readonly database: Database; readonly objects: ObjectStore };

/** After this long without a poll from the worker that knows a workflow, any other takes it: 12.2 → 3.3 s of recovery. */
const stickyTimeout = '1s';
/** Stories that a worker runs at the same time; further ones wait in Temporal's queue. Fewer (12, 16, 24) gained nothing. */
const storiesAtOnce = 40;
/** Activities that wait for others: bytes, a provider that is in doubt. */
const activitiesAtOnce = 40;

/**
 * Runs the stories, and the steps that touch ledger and provider.
 * @param activities makes the steps; a test with flows of its own adds theirs
 */
export async function startOperations(
  config: Pick<Config, (typeof operationsSettings)[number]>,
  ports: (own: Ports) => Ports = (own) => own,
  activities: (stores: Stores, guards: Guards) => Promise<ReturnType<typeof createActivities>> = shippedActivities,
): Promise<Running> {
  const seals = readSeals(config);
  const own = {
    database: new Database(config.DATABASE_URL, 'hapax_app'),
    objects: connectS3(config),
  };
  const log = createLogger('operations', config.HAPAX_LOG_LEVEL);
  const ground = await Ground.prove(own.database, own.objects, log);
  const { database, objects } = ports(own);
  const outside = await connectSystems(systems, config);
  const reconciler = new Reconciler(config.DATABASE_URL, outside.clients.payments.provider);
  countFlushes(() => database.flushes);
  return await runWorker(
    config,
    {
      taskQueue: config.HAPAX_TASK_QUEUE,
      workflowBundle: config.HAPAX_WORKFLOW_BUNDLE
        ? { codePath: config.HAPAX_WORKFLOW_BUNDLE }
        : { code: await bundleWorkflows() },
      activities: {
        ...(await activities(
          { database, objects, seals, takenAddresses: config.HAPAX_TAKEN_ADDRESSES, ...outside.clients },
          systemGuards(config.HAPAX_PROTECTION, log),
        )),
        ...reconciler.activities,
      },
      stickyQueueScheduleToStartTimeout: stickyTimeout,
      maxConcurrentWorkflowTaskExecutions: storiesAtOnce,
      maxConcurrentLocalActivityExecutions: storiesAtOnce * 2,
      maxConcurrentActivityTaskExecutions: activitiesAtOnce,
      // Memory for each cached workflow is some 100 KB; more than this are looked up again from history.
      maxCachedWorkflows: 500,
    },
    {
      ground,
      async close() {
        await database.close();
        await reconciler.close();
        objects.close();
        await outside.close();
      },
    },
  );
}

async function shippedActivities(stores: Stores, guards: Guards): Promise<ReturnType<typeof createActivities>> {
  return createActivities(stores, await registrations(), guards);
}

if (import.meta.main) await runProcess('operations', () => startOperations(readConfig(operationsSettings)));
