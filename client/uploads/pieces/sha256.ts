/** A SHA-256 whose state between two bytes can be saved, and taken up by another process that has the same implementation. */
export type Sha256 = {
  /** Names the implementation and the form of its states. */
  readonly tag: string;
  /** The state before the first byte. */
  readonly beginning: Uint8Array;
  /** @returns the state behind these bytes; the one before may be used up */
  readonly update: (state: Uint8Array, bytes: Uint8Array) => Uint8Array;
  /** Lower-case hex. The state stays as it is. */
  readonly digest: (state: Uint8Array) => string;
};
