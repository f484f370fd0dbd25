import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { heartbeat } from '../workflows/operation/budget.ts';
import type { Config } from './config.ts';
import { countRefused } from './count-refused.ts';
import type { Ground } from './ground.ts';
import { type healthSettings, type Running, serveHealth } from './process.ts';

/** How long a stopped worker lets its work finish, well inside a container's 30 s. */
const drain = '20 s';

type Settings = Pick<Config, 'TEMPORAL_ADDRESS' | 'TEMPORAL_NAMESPACE' | (typeof healthSettings)[number]>;

type WorkerParts = {
  /** What the process depends on: it is ready only while this holds. */
  readonly ground: Ground;
  /** Closes what the activities reach outside, when the last of them has ended. */
  readonly close: () => Promise<void>;
};

/** Runs a Temporal worker as a process of ours: ready while it polls, and drained when it is stopped. */
export async function runWorker(
  config: Settings,
  options: Omit<WorkerOptions, 'connection' | 'namespace' | 'shutdownGraceTime' | 'maxHeartbeatThrottleInterval'>,
  { ground, close }: WorkerParts,
): Promise<Running> {
  const connection = await NativeConnection.connect({ address: config.TEMPORAL_ADDRESS });
  const worker = await Worker.create({
    ...options,
    interceptors: { activity: [countRefused] },
    connection,
    namespace: config.TEMPORAL_NAMESPACE,
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
