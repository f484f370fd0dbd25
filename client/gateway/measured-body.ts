import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';

/** Why a body did not become an object. */
export type BodyFault = 'cut' | 'too-long' | 'too-short';

/**
 * A caller's bytes on their way to the store: counted, hashed and remembered at their start, in the one pass that they
 * make through the door. The caller's stream is left open where the bytes are wrong, so that it can still be answered.
 */
export class MeasuredBody {
  readonly stream: Readable;
  /** The first bytes, for what they show of the type. */
  start: Buffer = Buffer.alloc(0);
  size = 0;
  fault: BodyFault | undefined;
  readonly #hash = createHash('sha256');

  /**
   * @param expected how many bytes there must be
   * @param startLength how many of the first bytes are kept
   * @param failed told at once of a fault: the store would wait for the rest
   */
  constructor(source: Readable, expected: number, startLength: number, failed: () => void) {
    this.stream = Readable.from(this.#measure(source, expected, startLength), { objectMode: false });
    this.stream.on('error', failed);
  }

  /** Of all bytes that have passed. @returns lower-case hex; to be asked once, after the last byte */
  digest(): string {
    return this.#hash.digest('hex');
  }

  async *#measure(source: Readable, expected: number, startLength: number): AsyncGenerator<Uint8Array> {
    const pieces = source.iterator({ destroyOnReturn: false });
    for (;;) {
      const { done, value } = await this.#next(pieces);
      if (done === true) break;
      const piece = value as Buffer;
      this.size += piece.length;
      if (this.size > expected) this.#fail('too-long');
      this.#hash.update(piece);
      if (this.start.length < startLength)
        this.start = Buffer.concat([this.start, piece.subarray(0, startLength - this.start.length)]);
      yield piece;
    }
    if (this.size < expected) this.#fail('too-short');
  }

  async #next(pieces: AsyncIterator<unknown>): Promise<IteratorResult<unknown>> {
    try {
      return await pieces.next();
    } catch (cause) {
      return this.#fail('cut', cause);
    }
  }

  #fail(fault: BodyFault, cause?: unknown): never {
    this.fault = fault;
    throw new Error(`The body is ${fault}`, { cause });
  }
}

export type ReadBody = { readonly kind: 'read'; readonly sha256: string } | { readonly kind: BodyFault };

/** Reads a body that is not to be kept, to compare it. */
export async function readBody(source: Readable, expected: number): Promise<ReadBody> {
  const body = new MeasuredBody(source, expected, 0, () => undefined);
  try {
    for await (const _ of body.stream);
    return { kind: 'read', sha256: body.digest() };
  } catch (error) {
    if (body.fault === undefined) throw error;
    return { kind: body.fault };
  }
}
