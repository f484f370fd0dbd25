import { seconds } from '../../workflows/operation/duration.ts';
import { transferTime } from '../../workflows/operation/transfer-time.ts';
import { transferGrace } from '../../workflows/upload.flow.ts';

/** How long we wait for a sender. Milliseconds. */
export type Pace = {
  /** Without a single byte. */
  readonly silence: number;
  /** Over the whole body, on top of what its bytes take at the slowest rate. */
  readonly grace: number;
  /** How long this many bytes may take. */
  readonly timeFor: (bytes: number) => number;
};

/** A phone in a tunnel stops sending for half a minute and then goes on. After a longer silence the caller has left. */
export const uploadPace: Pace = { silence: seconds(30), grace: transferGrace, timeFor: transferTime };

/**
 * Times a sender, but only while we wait for it: the time that the store takes to accept bytes is not the sender's. A
 * sender whose average rate is above the slowest is never given up on, unless it falls silent.
 */
export class SenderWatch {
  readonly #pace: Pace;
  readonly #late: (why: 'silent' | 'slow') => void;
  #bytes = 0;
  /** How long we have waited for the sender, without the current wait. Milliseconds. */
  #waited = 0;
  #since: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param late called once, when the sender is given up on */
  constructor(pace: Pace, late: (why: 'silent' | 'slow') => void) {
    this.#pace = pace;
    this.#late = late;
    this.wait();
  }

  /** Whether we are waiting for the sender. */
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

  /** Call when we keep the sender waiting, or when nothing more will come. */
  rest(): void {
    clearTimeout(this.#timer);
    if (this.#since !== undefined) this.#waited += performance.now() - this.#since;
    this.#since = undefined;
  }
}
