import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ConnectedGateway, connectGateway } from '../../client/gateway/connect.ts';
import { bundleWorkflows } from '../../workers/bundle.ts';
import type { Ports } from '../../workers/operations.ts';
import { createFlowActivities } from '../flows/own-registrations.ts';
import { testSeals } from './seal-keys.ts';
import { workerHere } from './worker-here.ts';
import type { World } from './world.ts';

const index = fileURLToPath(new URL('../flows/index.ts', import.meta.url));

export type OwnFlows = Pick<ConnectedGateway, 'gateway' | 'close'> & {
  /** Starts the worker again that was stopped. */
  startWorker(): Promise<void>;
  /** What is under way ends first. */
  stopWorker(): Promise<void>;
};

/**
 * Runs flows that are not shipped (`test/flows`) beside the product's, in a world without other workers. The worker has a
 * bundle and activities of its own and lives in the test's process; the gateway starts the flows.
 */
export async function ownFlows(world: World, ports?: (own: Ports) => Ports): Promise<OwnFlows> {
  const env = { ...world.env, HAPAX_WORKFLOW_BUNDLE: await ownBundle(world) };
  const start = () => workerHere(env, ports, (stores) => createFlowActivities(stores, env));
  let worker = await start();
  const connected = await ownGateway(env);
  return {
    gateway: connected.gateway,
    startWorker: async () => {
      worker = await start();
    },
    stopWorker: () => worker.stop(),
    async close() {
      await worker.stop();
      await connected.close();
    },
  };
}

/** @returns the file that a worker of such flows runs */
export async function ownBundle(world: World): Promise<string> {
  const bundle = join(world.directory, 'own-flows.js');
  await writeFile(bundle, await bundleWorkflows(index));
  return bundle;
}

/** Starts such flows, whatever worker there is. */
export async function ownGateway(env: World['env']): Promise<ConnectedGateway> {
  return await connectGateway({
    databaseUrl: env.DATABASE_URL as string,
    temporalAddress: env.TEMPORAL_ADDRESS as string,
    taskQueue: env.HAPAX_TASK_QUEUE as string,
    cacheEntries: 0,
    seals: testSeals,
  });
}
