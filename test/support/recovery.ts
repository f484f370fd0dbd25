import { eachAtOnce } from './each-at-once.ts';
import type { Harm } from './boundaries/harm-at.ts';
import { frozen, Lane } from './lane.ts';
import type { ProcessHandle } from './process-handle.ts';
import type { World } from './world.ts';

export type Recovered = { readonly lane: Lane; readonly took: number };

/** From the death of a worker to the settled row, by another one. Milliseconds. */
export const recoveryWithin = 5_000;

/** One checkout whose worker is killed at `point`, and which another worker, started after that, brings to its end. */
export async function killedAt(world: World, point: string, changes: Record<string, unknown> = {}): Promise<Recovered> {
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

/** Recoveries from one boundary, on a machine that is busy with something else. */
const atMost = 4;

/**
 * The recoveries from each boundary, three at a time. Where one was slower than it may be, others follow at the end, each by
 * itself: the clock runs while the other worker starts, and three that start together share two cores. All must be
 * right; the fastest one shows what the engine needs.
 */
export async function recoveriesAt<One extends { readonly took: number }>(
  points: readonly string[],
  recover: (point: string, nth: number) => Promise<One>,
): Promise<Map<string, One[]>> {
  const all = new Map<string, One[]>();
  await eachAtOnce(3, points, async (point) => void all.set(point, [await recover(point, 1)]));
  for (const [point, found] of all)
    while (fastest(found) > recoveryWithin && found.length < atMost) found.push(await recover(point, found.length + 1));
  return all;
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
