import { writeSync } from 'node:fs';
import type { Boundaries } from '../boundaries/boundaries.ts';

/** An operation stops where it reaches a boundary: for good, since its worker is then killed, or until it is let go. */
type Stop = { readonly at: string; readonly until: 'killed' | 'released' };

/** What meets one operation in one worker. */
export type Plan = {
  /** In the order in which they are reached. */
  readonly stops: readonly Stop[];
  /** The answers that come from outside during the first try of this step are lost. */
  readonly loses?: string;
};

/**
 * The faults of one worker process, by operation. Many operations stand at their boundaries together and die with one kill.
 * An operation that stands does nothing else: whatever it tries besides stands with it.
 */
export class PlannedFaults implements Boundaries {
  readonly #plans: ReadonlyMap<string, Plan>;
  readonly #met = new Map<string, number>();
  readonly #standing = new Map<string, { readonly gone: Promise<void>; readonly release: () => void }>();
  readonly #tried = new Set<string>();

  constructor(plans: Readonly<Record<string, Plan>>) {
    this.#plans = new Map(Object.entries(plans));
  }

  /** Passes a boundary, or stands at it. */
  async reach(operation: string, point: string): Promise<void> {
    await this.stands(operation);
    say('passed', operation, point);
    const met = this.#met.get(operation) ?? 0;
    const stop = this.#plans.get(operation)?.stops[met];
    if (stop?.at !== point) return;
    this.#met.set(operation, met + 1);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#standing.set(operation, { gone: promise, release: stop.until === 'released' ? resolve : () => undefined });
    say('stands', operation, point);
    await promise;
  }

  /** Whatever an operation does while it stands at a boundary waits there too. */
  async stands(operation: string): Promise<void> {
    await this.#standing.get(operation)?.gone;
  }

  /** Those that wait to be let go go on. */
  release(): void {
    for (const [operation, { release, gone }] of this.#standing) {
      void gone.then(() => this.#standing.delete(operation));
      release();
    }
  }

  /** @returns whether this try of the step is the one whose answers are lost */
  loses(operation: string, step: string): boolean {
    const lost = this.#plans.get(operation)?.loses === step && !this.#tried.has(operation);
    if (lost) this.#tried.add(operation);
    return lost;
  }

  lost(operation: string, step: string): void {
    say('passed', operation, `${step}:answer`);
  }
}

/** Synchronous, so that it is out before whatever comes next. A test that is busy may be slow to read. */
function say(what: 'passed' | 'stands', operation: string, point: string): void {
  for (;;) {
    try {
      return void writeSync(1, `${what} ${operation} ${point}\n`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
