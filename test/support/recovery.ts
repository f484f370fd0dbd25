import type { Harm } from './boundaries/harm-at.ts';
import { frozen, Lane } from './lane.ts';
import type { ProcessHandle } from './process-handle.ts';
import type { World } from './world.ts';

export type Recovered = { readonly lane: Lane; readonly took: number };

/** From the death of a worker to the settled row, by another one. Milliseconds. */
export const recoveryWithin = 5_000;

/** One checkout whose worker is killed at `point`, and which another worker, started after that, brings to its end. */
async function killedAt(world: World, point: string, changes: Record<string, unknown> = {}): Promise<Recovered> {
  const lane = await Lane.open(world, point, changes);
  try {
    const victim = await lane.faulty('kill', point);
    await lane.start();
    await victim.gone();
    const at = Date.now();
    await lane.healthy();
    const took = (await lane.settled()) - at;
    return { lane, took: Math.max(took, 0) };
  } finally {
    await lane.close();
  }
}

/**
 * All recoveries from one boundary: a second one where the first was slower than it may be, since other tests use the
 * same two cores, and the clock runs while the other worker starts. Both must be right; the faster one shows what the engine
 * needs.
 */
export async function recoveries<One extends { readonly took: number }>(recover: () => Promise<One>): Promise<One[]> {
  const first = await recover();
  return first.took <= recoveryWithin ? [first] : [first, await recover()];
}

/** Of a checkout whose worker is killed at `point`. */
export async function recoveriesAt(world: World, point: string, changes?: Record<string, unknown>) {
  return await recoveries(() => killedAt(world, point, changes));
}

export function fastest(all: readonly { readonly took: number }[]): number {
  return Math.min(...all.map(({ took }) => took));
}

/** A worker that has harmed itself at a boundary of a lane's checkout. */
export async function harmedAt(lane: Lane, harm: Harm, point: string): Promise<ProcessHandle> {
  const worker = await lane.faulty(harm, point);
  await lane.start();
  if (harm === 'kill') await worker.gone();
  else await frozen(lane.world, worker);
  return worker;
}
