import { fileURLToPath } from 'node:url';
import { type Partner, startPartner } from './conversation.ts';
import type { Servers } from './servers.ts';
import type { WorkerSettings } from './worker-settings.ts';

export type HttpDoor = Partner & { readonly url: string };
export type DoorSettings = WorkerSettings & {
  /** Settled answers kept in memory; 0 asks PostgreSQL each time. */
  readonly answerCache: number;
};

/** Where the bare route stands: the same server does the same for it, and then answers a constant. */
export const bareRoute = '/v1/bare';
/** Where a bare insert stands: the same server puts a body into a table. */
export const bareInsertRoute = '/v1/bare-inserts';
export const flowRoute = '/v1/checkouts';

const program = fileURLToPath(new URL('./http-door-process.ts', import.meta.url));

/** The HTTP door in a process of its own. */
export async function startHttpDoor(servers: Servers, taskQueue: string, answerCache: number): Promise<HttpDoor> {
  const settings: DoorSettings = {
    databaseUrl: servers.postgres.url,
    temporalAddress: servers.temporal.address,
    stripe: servers.sandbox.url,
    taskQueue,
    bundle: '',
    answerCache,
  };
  const partner = await startPartner(program, settings);
  return { ...partner, url: await partner.ask<string>('address') };
}
