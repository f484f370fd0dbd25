import { createMediaActivities } from '../activities/create-media-activities.ts';
import { Database } from '../activities/stores/postgres/database.ts';
import type { ObjectStore } from '../activities/stores/s3/object-store.ts';
import type { MediaStores } from '../activities/stores.ts';
import { workerQueue } from '../workflows/operation/worker-queue.ts';
import { type Config, readConfig } from './config.ts';
import { connectS3, s3Settings } from './connect-s3.ts';
import { Ground } from './ground.ts';
import { createLogger } from './logger.ts';
import { payloadSettings } from './payload-codec.ts';
import { healthSettings, type Running, runProcess } from './process.ts';
import { registrations } from './registrations.ts';
import { runWorker } from './run-worker.ts';

export const mediaSettings = [
  'DATABASE_URL',
  'TEMPORAL_ADDRESS',
  'TEMPORAL_NAMESPACE',
  ...s3Settings,
  'HAPAX_TASK_QUEUE',
  ...payloadSettings,
  ...healthSettings,
  'HAPAX_LOG_LEVEL',
] as const;

/** The outside systems that the worker uses. A test passes its own, to stop the worker at a boundary. */
type MediaPorts = { readonly database: Database; readonly objects: ObjectStore };

/** One decoder for each core. More would only hold more pictures in memory. */
const decodersAtOnce = 2;
/** Each picture queries the ledger a few times. */
const connectionsEach = 2;

/**
 * Decodes pictures, away from the worker that carries everybody's operations: a picture may kill its decoder.
 * @param activities makes the steps; a test passes its own to watch them
 * @param atOnce how many pictures are worked at; a test that lets some stand at a boundary passes more, so that others pass
 */
export async function startMedia(
  config: Pick<Config, (typeof mediaSettings)[number]>,
  ports: (own: MediaPorts) => MediaPorts = (own) => own,
  activities: (stores: MediaStores) => ReturnType<typeof createMediaActivities> = shippedActivities,
  atOnce: number = decodersAtOnce,
): Promise<Running> {
  const own = {
    database: new Database(config.DATABASE_URL, 'hapax_app', atOnce * connectionsEach),
    objects: connectS3(config),
  };
  const ground = await Ground.prove(own.database, own.objects, createLogger('media', config.HAPAX_LOG_LEVEL));
  const { database, objects } = ports(own);
  return await runWorker(
    config,
    {
      taskQueue: workerQueue(config.HAPAX_TASK_QUEUE, 'media'),
      activities: await activities({ database, objects }),
      maxConcurrentActivityTaskExecutions: atOnce,
    },
    {
      ground,
      async close() {
        await database.close();
        objects.close();
      },
    },
  );
}

async function shippedActivities(stores: MediaStores): ReturnType<typeof createMediaActivities> {
  return await createMediaActivities(stores, await registrations());
}

if (import.meta.main) await runProcess('media', () => startMedia(readConfig(mediaSettings)));
