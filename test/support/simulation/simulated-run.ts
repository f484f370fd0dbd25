import type { Opening, OperationRef } from '../../../workflows/operation/call.ts';
import type { Host } from './virtual-time.ts';

/** What a command of a story came to, as Temporal keeps it. */
export type Recorded = {
  readonly outcome: { readonly value: unknown } | { readonly error: unknown };
  /** When. Milliseconds since 1970. */
  readonly at: number;
  readonly heard: number;
};

/** A task that goes on while its story's worker may die. */
type FarTask = {
  /** The command's number in the story. */
  readonly command: number;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly cancellable: boolean;
  attempts: number;
  interrupted: boolean;
};

/** A workflow run as Temporal's server has it: what a worker takes up that tells the story after another has died. */
export class SimulatedRun {
  readonly id: string;
  readonly operation: OperationRef;
  readonly opening: Opening | undefined;
  /** Milliseconds since 1970. */
  readonly requestedAt: number;
  state: 'running' | 'completed' | 'failed' | 'forgotten' = 'running';
  /** The worker that tells it. What another one says of it is not taken. */
  host: Host | undefined;
  /** What has come of the story's commands, up to the last task that a worker has completed. */
  history: readonly Recorded[] = [];
  task: FarTask | undefined;
  #heard = 0;

  constructor(id: string, operation: OperationRef, opening: Opening | undefined, requestedAt: number) {
    this.id = id;
    this.operation = operation;
    this.opening = opening;
    this.requestedAt = requestedAt;
  }

  get heard(): number {
    return this.#heard;
  }

  signal(signal: 'wake' | 'cancelRequested' | 'resolved'): void {
    this.#heard += 1;
    if (this.task === undefined) return;
    if (signal === 'resolved' || (signal === 'cancelRequested' && this.task.cancellable)) this.task.interrupted = true;
  }
}
