/** The bodies that this process is writing. Of one upload the newest counts, and the one before is let go. */
export class LiveWriters {
  readonly #stops = new Map<string, () => void>();

  /** @returns a function to call at the end */
  enter(upload: string, stop: () => void): () => void {
    this.#stops.get(upload)?.();
    this.#stops.set(upload, stop);
    return () => {
      if (this.#stops.get(upload) === stop) this.#stops.delete(upload);
    };
  }
}
