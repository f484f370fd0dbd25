import { randomBytes } from 'node:crypto';
import { type ConnectedGateway, connectGateway } from '../../client/gateway/connect.ts';
import type { Scope } from '../../workflows/operation/key.ts';
import { sealKeys } from './seal-keys.ts';
import type { World } from './world.ts';

export type OwnQueue = { readonly scope: Scope; readonly queue: string; readonly connected: ConnectedGateway };

/** A new key of a flow, and a gateway that starts it on a queue which no worker of the world listens to. */
export async function ownQueue(world: World, flow: string, name: string): Promise<OwnQueue> {
  const key = `${name.replaceAll(/[^A-Za-z0-9]+/g, '-')}-${randomBytes(3).toString('hex')}`;
  const queue = `${world.env.HAPAX_TASK_QUEUE}-${key}`;
  const connected = await connectGateway({
    databaseUrl: world.databaseUrl,
    temporalAddress: world.env.TEMPORAL_ADDRESS as string,
    taskQueue: queue,
    sealKeys,
  });
  return { scope: scopeOf(world, flow, key), queue, connected };
}

/** Who the world's first token speaks for. */
export function scopeOf(world: World, flow: string, key: string): Scope {
  return { tenant: world.tenants.alpha, environment: 'test', subject: 'default', flow, key };
}
