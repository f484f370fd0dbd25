import { fileURLToPath } from 'node:url';
import { freePorts } from './free-port.ts';
import { startNodeWorker } from './node-worker.ts';
import type { Context } from './stack-context.ts';

/** Those who do the work. Each is a process of its own, as in production; here one of each is enough. */
const workers = ['operations', 'media', 'upkeep', 'mail', 'relay', 'consumer'];

/**
 * Starts our own processes side by side.
 * @param environment addresses and keys of the services; what a person has set stays as it is
 * @returns where the HTTP API answers, and where the workers show their metrics
 */
export async function startProcesses(
  context: Context,
  environment: Record<string, string>,
): Promise<{ http: string; addresses: Record<string, string> }> {
  const { HAPAX_HTTP_HOST: host, HAPAX_HTTP_PORT: port } = context.settings;
  const healthPorts = await freePorts(workers.length);
  const door = `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}`;
  await Promise.all([
    ...workers.map((name, index) => {
      const healthPort = String(healthPorts[index]);
      return startProcess(context, name, `http://127.0.0.1:${healthPort}`, 'workers', {
        ...environment,
        HAPAX_HEALTH_PORT: healthPort,
      });
    }),
    startProcess(context, 'http', door, 'door', {
      ...environment,
      HAPAX_HTTP_HOST: host,
      HAPAX_HTTP_PORT: String(port),
    }),
  ]);
  const metrics = workers.map((name, index) => [
    `Metrics of ${name}`,
    `http://127.0.0.1:${healthPorts[index]}/metrics`,
  ]);
  return { http: door, addresses: Object.fromEntries(metrics) as Record<string, string> };
}

const startProcess = (
  context: Context,
  name: string,
  address: string,
  stage: 'door' | 'workers',
  environment: Record<string, string>,
) =>
  context.run(name, stage, (logFile) =>
    startNodeWorker({
      name,
      script: fileURLToPath(new URL(`../${name}.ts`, import.meta.url)),
      environment,
      readyUrl: `${address}/readyz`,
      logFile,
      keeper: context.keeper,
    }),
  );
