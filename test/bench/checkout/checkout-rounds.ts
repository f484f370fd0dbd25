import type { Servers } from '../stack/servers.ts';
import { type Expenses, expensesOf } from './expenses.ts';
import type { Load, Loaded } from './load.ts';
import type { Side, SideName, Sides } from './sides.ts';

export type SideRound = {
  /** Milliseconds of each operation, one after the other. */
  readonly latencies: readonly number[];
  readonly throughput: Loaded;
  readonly expenses: Expenses;
};
export type Round = Readonly<Record<SideName, SideRound>>;

/** One after the other, in blocks that take turns, so that a noisy second falls on both sides. */
const block = 15;
const blocks = 4;
/** At 40 at once a burst of this many takes 13–20 s, long beside its run-up and its tail, in which fewer are under way. */
export const burst = 480;
export const atOnce = 40;

/** Code that has run a few hundred times is compiled, and connections are open. */
export async function warmUp(sides: Sides): Promise<void> {
  for (const side of [sides.hapax, sides.plain]) {
    await load(side, { name: 'warm', operations: 30, atOnce: 1 });
    await load(side, { name: 'warmer', operations: 200, atOnce });
  }
}

export async function runRound(servers: Servers, sides: Sides, number: number): Promise<Round> {
  // Whoever goes first finds the machine as the round before left it, so the order alternates.
  const order = number % 2 === 0 ? [sides.hapax, sides.plain] : [sides.plain, sides.hapax];
  const latencies: Record<SideName, number[]> = { hapax: [], plain: [] };
  for (let n = 0; n < blocks; n += 1)
    for (const side of order) {
      const done = await load(side, { name: `one-${number}-${n}`, operations: block, atOnce: 1 });
      latencies[side.name].push(...done.latencies);
    }
  const bursts: Partial<Record<SideName, SideRound>> = {};
  for (const side of order) {
    const [throughput, expenses] = await expensesOf(servers, side, () =>
      load(side, { name: `many-${number}`, operations: burst, atOnce }),
    );
    bursts[side.name] = { latencies: latencies[side.name], throughput, expenses };
  }
  return bursts as Round;
}

async function load(side: Side, asked: Load): Promise<Loaded> {
  return await side.load.ask<Loaded>('load', asked);
}
