import type { Budget } from './budget.ts';

/** The task queue of a worker: the stack's own queue, and beside it one for each worker that is not the main one. */
export function workerQueue(queue: string, worker: Budget['worker']): string {
  return worker === 'operations' ? queue : `${queue}-${worker}`;
}
