import { writeSync } from 'node:fs';
import type { Boundaries } from './boundaries.ts';

/** A boundary of a worker's process, by its name. */
export type Reach = (point: string) => Promise<void>;

/** What happens to the process at its boundary. A frozen one goes on from there when it is thawed. */
export type Harm = 'kill' | 'freeze';

/** @returns a reach that harms this process at `point`, the first time it comes there */
export function harmAt(point: string, harm: Harm): Reach {
  let done = false;
  return async (reached) => {
    if (done || reached !== point) return;
    done = true;
    // Synchronous, so that it is out before the signal: a test reads when the boundary was reached.
    writeSync(1, `reached ${point}\n`);
    process.kill(process.pid, harm === 'kill' ? 'SIGKILL' : 'SIGSTOP');
    // The signal may be taken by another thread a few microseconds later: nothing of ours runs until then.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  };
}

/** The same reach for whichever operation comes to a boundary. */
export function ofAnyOperation(reach: Reach): Boundaries {
  return {
    reach: (_operation, point) => reach(point),
    stands: async () => undefined,
    loses: () => false,
  };
}
