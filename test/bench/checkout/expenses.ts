import { processorTime } from '../measure/processor-time.ts';
import type { Servers } from '../stack/servers.ts';
import type { Side } from './sides.ts';

/** Processor time by who spent it. Milliseconds. */
export type Expenses = Readonly<Record<'temporal' | 'postgres' | 'sandbox' | 'worker' | 'caller', number>>;

export const spenders = ['temporal', 'postgres', 'sandbox', 'worker', 'caller'] as const;

/** Measures what is spent while `work` runs, by the servers and by one side's processes. */
export async function expensesOf<T>(servers: Servers, side: Side, work: () => Promise<T>): Promise<[T, Expenses]> {
  const pids = {
    temporal: servers.temporal.pid,
    postgres: servers.postgres.pid,
    sandbox: servers.sandbox.pid,
    worker: side.worker.pid,
    caller: side.load.pid,
  };
  const before = spenders.map((name) => processorTime(pids[name]));
  const value = await work();
  const spent = spenders.map((name, n) => [name, processorTime(pids[name]) - (before[n] ?? 0)]);
  return [value, Object.fromEntries(spent) as Expenses];
}
