import { seconds } from '../../workflows/operation/duration.ts';
import { transferTime } from '../../workflows/operation/transfer-time.ts';
import { transferGrace } from '../../workflows/upload.flow.ts';

/** How long a sender is waited for. Milliseconds. */
export type Pace = {
  /** With nothing coming. */
  readonly silence: number;
  /** Over the whole body, on top of what its bytes take at the slowest rate. */
  readonly grace: number;
  /** How long so many bytes may take. */
  readonly timeFor: (bytes: number) => number;
};

/** A telephone in a tunnel stops sending for half a minute and goes on; a longer silence is a caller that has left. */
export const uploadPace: Pace = { silence: seconds(30), grace: transferGrace, timeFor: transferTime };

/**
 * Looks after a sender while we wait for it, and only then: what the store takes to accept bytes is not the sender's
 * time. A sender whose average rate is above the slowest is never given up, unless it falls silent.
 */
export class SenderWatch {
  readonly #pace: Pace;
  readonly #late: (why: 'silent' | 'slow') => void;
  #bytes = 0;
  /** What the sender has been waited for, without the present wait. Milliseconds. */
  #waited = 0;
  #since: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param late told once, when the sender is given up */
  constructor(pace: Pace, late: (why: 'silent' | 'slow') => void) {
    this.#pace = pace;
    this.#late = late;
    this.wait();
  }

  /** Whether the sender is the one that has to do something. */
  get waiting(): boolean {
    return this.#since !== undefined;
  }

  wait(): void {
    this.rest();
    const { silence, grace, timeFor } = this.#pace;
    const left = grace + timeFor(this.#bytes) - this.#waited;
    this.#since = performance.now();
    this.#timer = setTimeout(
      () => this.#late(left < silence ? 'slow' : 'silent'),
      Math.max(0, Math.min(silence, left)),
    );
  }

  came(bytes: number): void {
    this.#bytes += bytes;
    this.rest();
  }

  /** We are the ones who keep the sender waiting, or nothing more is to come. */
  rest(): void {
    clearTimeout(this.#timer);
    if (this.#since !== undefined) this.#waited += performance.now() - this.#since;
    this.#since = undefined;
  }
}
