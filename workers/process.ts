import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GroundFault } from '../activities/stores/postgres/ground/proof.ts';
import { type Check, isReady, readinessText } from '../client/http/health/readiness.ts';
import { type Config, ConfigFault } from './config.ts';
import { metricsText } from './telemetry.ts';

/** A process of ours that is running. */
export type Running = {
  readonly address: string;
  /** Settles when the process's work ends by itself, which it should not. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
};

/** Runs one process until it gets a signal to stop. Then it stops being ready, finishes its work and exits with 0. */
export async function runProcess(name: string, start: () => Promise<Running>): Promise<void> {
  // Settings are read inside `start`, which may throw before it returns a promise.
  const running = await (async () => await start())().catch((error: unknown) => {
    const known = error instanceof ConfigFault || error instanceof GroundFault;
    console.error(known ? error.message : error);
    process.exit(1);
  });
  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    await running.stop();
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop());
  process.on('SIGINT', () => void stop());
  console.log(`${name} ready ${running.address}`);
  await running.ended.catch((error: unknown) => {
    console.error(`${name} has ended:`, error);
  });
  if (!stopping) process.exit(1);
}

export const healthSettings = ['HAPAX_HEALTH_HOST', 'HAPAX_HEALTH_PORT'] as const;

/** Serves /healthz while the process lives, /readyz while it takes work, and /metrics for Prometheus. */
export async function serveHealth(
  { HAPAX_HEALTH_HOST: host, HAPAX_HEALTH_PORT: port }: Pick<Config, (typeof healthSettings)[number]>,
  ready: () => readonly Check[] | Promise<readonly Check[]>,
): Promise<{ address: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://health');
    response.setHeader('content-type', 'text/plain; charset=utf-8');
    if (pathname === '/metrics') {
      void metricsText().then((text) => response.setHeader('content-type', 'text/plain; version=0.0.4').end(text));
    } else if (pathname === '/readyz') {
      void (async () => await ready())().then((checks) => {
        response.statusCode = isReady(checks) ? 200 : 503;
        response.end(readinessText(checks, searchParams.has('verbose')));
      });
    } else {
      response.statusCode = pathname === '/healthz' ? 200 : 404;
      response.end(pathname === '/healthz' ? 'ok\n' : 'no\n');
    }
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  return {
    address: `http://${host}:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
