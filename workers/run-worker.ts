import { Client } from '@temporalio/client';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { convertedBy } from '../activities/seal/payload-codec.ts';
import { SealFault } from '../activities/seal/seals.ts';
import { Workflows } from '../client/gateway/workflows.ts';
import { heartbeat } from '../workflows/operation/budget.ts';
import { type Config, ConfigFault } from './config.ts';
import { countRefused } from './count-refused.ts';
import type { Ground } from './ground.ts';
import { type payloadSettings, readPayloadCodec } from './payload-codec.ts';
import { type healthSettings, type Running, serveHealth } from './process.ts';

/** How long a stopped worker lets its work finish, well inside a container's 30 s. */
const drain = '20 s';

type Settings = Pick<
  Config,
  | 'TEMPORAL_ADDRESS'
  | 'TEMPORAL_NAMESPACE'
  | 'HAPAX_TASK_QUEUE'
  | (typeof healthSettings)[number]
  | (typeof payloadSettings)[number]
>;

type Given = 'connection' | 'namespace' | 'dataConverter' | 'shutdownGraceTime' | 'maxHeartbeatThrottleInterval';

type WorkerParts = {
  /** What the process depends on: it is ready only while this holds. */
  readonly ground: Ground;
  /** Closes what the activities reach outside, when the last of them has ended. */
  readonly close: () => Promise<void>;
};

/** Runs a Temporal worker as a process of ours: ready while it polls, and drained when it is stopped. */
export async function runWorker(
  config: Settings,
  options: Omit<WorkerOptions, Given>,
  { ground, close }: WorkerParts,
): Promise<Running> {
  const converted = convertedBy(readPayloadCodec(config));
  const connection = await NativeConnection.connect({ address: config.TEMPORAL_ADDRESS });
  const namespace = config.TEMPORAL_NAMESPACE;
  await provePayloadKeys(new Workflows(new Client({ connection, namespace, ...converted }), config.HAPAX_TASK_QUEUE));
  const worker = await Worker.create({
    ...options,
    ...converted,
    interceptors: { activity: [countRefused] },
    connection,
    namespace,
    shutdownGraceTime: drain,
    // By default the SDK delays heartbeats to 80 % of the timeout, and then the next one must not be late at all.
    maxHeartbeatThrottleInterval: heartbeat / 2,
  });
  const running = worker.run();
  const health = await serveHealth(config, async () => {
    const state = worker.getState();
    const polls = `The worker is ${state.toLowerCase()} on the queue ${options.taskQueue}.`;
    return [
      { name: 'worker', state: state === 'RUNNING' ? 'holds' : 'failed', says: polls },
      ...(await ground.checks()),
    ];
  });
  return {
    address: health.address,
    ended: running,
    async stop() {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await running;
      await health.close();
      await connection.close();
      ground.close();
      await close();
    },
  };
}

/**
 * A worker that cannot read what Temporal keeps would fail every task that it takes.
 * @throws ConfigFault when the key is missing with which payloads are encrypted now
 */
async function provePayloadKeys(workflows: Workflows): Promise<void> {
  try {
    await workflows.readSentinel();
  } catch (error) {
    const fault = error instanceof SealFault ? error : (error as Error).cause;
    throw fault instanceof SealFault ? new ConfigFault(`Cannot start:\n  ${fault.message}`) : error;
  }
}
