import { NativeConnection, Worker } from '@temporalio/worker';
import { createMediaActivities } from '../activities/create-media-activities.ts';
import { Database } from '../activities/stores/postgres/database.ts';
import type { ObjectStore } from '../activities/stores/s3/object-store.ts';
import { type Config, readConfig } from './config.ts';
import { connectS3, s3Settings } from './connect-s3.ts';
import { type Running, runProcess, serveHealth } from './process.ts';

export const mediaSettings = [
  'DATABASE_URL',
  'TEMPORAL_ADDRESS',
  'TEMPORAL_NAMESPACE',
  ...s3Settings,
  'HAPAX_TASK_QUEUE',
  'HAPAX_HEALTH_PORT',
  'HAPAX_LOG_LEVEL',
] as const;

/** What the worker reaches outside; a test hands in its own, to stop it at a boundary. */
export type MediaPorts = { readonly database: Database; readonly objects: ObjectStore };

/** A picture takes at most a minute to decode; what is not done by then begins again elsewhere. */
const drain = '20 s';
/** One decoder a core: more only hold more pictures in memory. */
const atOnce = 2;
/** Each picture asks the ledger a few times. */
const connections = atOnce * 2;

/** Decodes pictures, away from the worker that carries everybody's operations: a decoder may die of what it is given. */
export async function startMedia(
  config: Pick<Config, (typeof mediaSettings)[number]>,
  ports: (own: MediaPorts) => MediaPorts = (own) => own,
): Promise<Running> {
  const connection = await NativeConnection.connect({ address: config.TEMPORAL_ADDRESS });
  const { database, objects } = ports({
    database: new Database(config.DATABASE_URL, 'hapax_app', connections),
    objects: connectS3(config),
  });
  const worker = await Worker.create({
    connection,
    namespace: config.TEMPORAL_NAMESPACE,
    taskQueue: `${config.HAPAX_TASK_QUEUE}-media`,
    activities: createMediaActivities({ database, objects }),
    shutdownGraceTime: drain,
    maxConcurrentActivityTaskExecutions: atOnce,
  });
  const running = worker.run();
  const health = await serveHealth(config.HAPAX_HEALTH_PORT, () => worker.getState() === 'RUNNING');
  return {
    address: health.address,
    ended: running,
    async stop() {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await running;
      await health.close();
      await connection.close();
      await database.close();
      objects.close();
    },
  };
}

if (import.meta.main) await runProcess('media', () => startMedia(readConfig(mediaSettings)));
