import type { Budget } from './budget.ts';

/** The task queue of a worker. The main worker has the stack's own queue; each other worker has one beside it. */
export function workerQueue(queue: string, worker: Budget['worker']): string {
  return worker === 'operations' ? queue : `${queue}-${worker}`;
}
