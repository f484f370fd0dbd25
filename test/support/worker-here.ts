import { DefaultLogger, Runtime } from '@temporalio/worker';
import { readConfig } from '../../workers/config.ts';
import { operationsSettings, type Ports, startOperations } from '../../workers/operations.ts';
import { registry } from '../../workers/telemetry.ts';

export type WorkerHere = { stop(): Promise<void> };

let quiet = false;
let starting: Promise<unknown> = Promise.resolve();

/** An operations worker in the process of the test, with ports of the test's own, and activities where it has flows. */
export async function workerHere(
  environment: Readonly<Record<string, string>>,
  ports?: (own: Ports) => Ports,
  activities?: Parameters<typeof startOperations>[2],
): Promise<WorkerHere> {
  if (!quiet) Runtime.install({ logger: new DefaultLogger('ERROR') });
  quiet = true;
  const config = readConfig(operationsSettings, { ...environment });
  // A process of ours counts for one worker; here there are many, one after the other, and nobody reads.
  const worker = starting.then(() => {
    registry.clear();
    return startOperations(config, ports, activities);
  });
  starting = worker.catch(() => undefined);
  return await worker;
}
