/** Copies of all bodies together, so that many slow uploads cost no more memory than a few. Bytes. */
const most = 32 * 1024 ** 2;

let held = 0;

/**
 * Copies of the bytes that are on their way to the store, for as far as memory is allowed for them. If the sender
 * disconnects, the store drops what it has of the piece; with a copy the piece is kept all the same.
 */
export class KeptBytes {
  #bytes: Buffer[] | undefined = [];
  #length = 0;

  add(bytes: Buffer): void {
    if (this.#bytes === undefined) return;
    if (held + bytes.length > most) return this.drop();
    held += bytes.length;
    this.#length += bytes.length;
    this.#bytes.push(bytes);
  }

  /** @returns all bytes that were added; undefined when there was no room for them */
  get bytes(): Buffer | undefined {
    return this.#bytes === undefined ? undefined : Buffer.concat(this.#bytes, this.#length);
  }

  /** Call it at the end in any case. */
  drop(): void {
    held -= this.#length;
    this.#length = 0;
    this.#bytes = undefined;
  }
}
