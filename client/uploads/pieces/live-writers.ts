import { milliseconds } from '../../../workflows/operation/duration.ts';

/** A writer that is let go stores what it has. Nobody waits longer for that: the rest is sent again. */
const farewell = milliseconds(100);

type Writer = { readonly stop: () => void; readonly ended: Promise<void> };

/** The bodies that this process is writing. Of one upload the newest counts, and the one before is let go. */
export class LiveWriters {
  readonly #writers = new Map<string, Writer>();

  /** Lets the writer of an upload go, if there is one, and waits a moment for what it still keeps. */
  async letGo(upload: string): Promise<void> {
    const writer = this.#writers.get(upload);
    if (writer === undefined) return;
    writer.stop();
    let late: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      late = setTimeout(resolve, farewell);
    });
    await Promise.race([writer.ended, patience]);
    clearTimeout(late);
  }

  /** @returns a function to call at the end */
  enter(upload: string, stop: () => void): () => void {
    this.#writers.get(upload)?.stop();
    const { promise, resolve } = Promise.withResolvers<void>();
    const writer = { stop, ended: promise };
    this.#writers.set(upload, writer);
    return () => {
      resolve();
      if (this.#writers.get(upload) === writer) this.#writers.delete(upload);
    };
  }
}
