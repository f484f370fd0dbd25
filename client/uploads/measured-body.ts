import { createHash } from 'node:crypto';
import { type Readable, Transform } from 'node:stream';
import { type Pace, SenderWatch, uploadPace } from './sender-watch.ts';

/** Why a body did not become an object. */
export type BodyFault = 'cut' | 'silent' | 'slow' | 'too-long' | 'too-short' | 'other-bytes';

/** What was announced of a body. Bytes, and lower-case hex where the digest is known. */
type Expected = { readonly size: number; readonly sha256?: string | undefined };

/**
 * A caller's bytes on their way to the store: counted, hashed and remembered at their start, in the one pass that they
 * make through the door.
 */
export class MeasuredBody {
  readonly stream: Transform;
  /** The first bytes, for what they show of the type. */
  start: Buffer = Buffer.alloc(0);
  size = 0;
  fault: BodyFault | undefined;
  readonly #source: Readable;
  readonly #watch: SenderWatch;
  readonly #hash = createHash('sha256');
  #digest: string | undefined;

  /**
   * @param startLength how many of the first bytes are kept
   * @param failed told at once of a fault: the store would wait for the rest
   */
  constructor(source: Readable, expected: Expected, startLength: number, failed: () => void, pace: Pace = uploadPace) {
    this.#source = source;
    this.stream = new Transform({
      transform: (piece: Buffer, _encoding, done) => {
        this.size += piece.length;
        if (this.size > expected.size) return done(this.#failed('too-long'));
        this.#hash.update(piece);
        if (this.start.length < startLength)
          this.start = Buffer.concat([this.start, piece.subarray(0, startLength - this.start.length)]);
        done(null, piece);
      },
      // Before the store is told that this was all: it keeps nothing of what is not wanted.
      flush: (done) => {
        if (this.size < expected.size) return done(this.#failed('too-short'));
        const { sha256 = this.digest() } = expected;
        done(sha256 === this.digest() ? null : this.#failed('other-bytes'));
      },
    });
    this.stream.on('error', failed);
    const cut = (cause?: Error): void => {
      if (!source.readableEnded && !this.stream.destroyed) this.stream.destroy(this.#failed('cut', cause));
    };
    source.once('error', cut);
    source.once('close', cut);
    source.pipe(this.stream);
    this.#watch = new SenderWatch(pace, (why) => this.stream.destroy(this.#failed(why)));
    source.on('data', this.#came);
    source.once('end', () => this.#watch.rest());
    this.stream.on('drain', () => this.#watch.wait());
    this.stream.once('close', () => this.#watch.rest());
  }

  /** Whether the store has all that has come, and waits for the sender as we do. */
  get waitsForSender(): boolean {
    return this.#watch.waiting;
  }

  readonly #came = (piece: Buffer): void => {
    this.#watch.came(piece.length);
    // Where the store keeps us waiting, the source is paused until the stream has drained.
    if (!this.stream.writableNeedDrain) this.#watch.wait();
  };

  /** Ends the way to the store. The caller's stream is left as it is, paused and open. */
  release(): void {
    this.#source.off('data', this.#came);
    this.#source.unpipe(this.stream);
    this.stream.destroy();
  }

  /** Of all bytes that have passed. @returns lower-case hex; to be asked after the last byte */
  digest(): string {
    this.#digest ??= this.#hash.digest('hex');
    return this.#digest;
  }

  #failed(fault: BodyFault, cause?: unknown): Error {
    this.fault = fault;
    return new Error(`The body is ${fault}`, { cause });
  }
}

type ReadBody = { readonly kind: 'read'; readonly sha256: string } | { readonly kind: BodyFault };

/** Reads a body that is not to be kept, to compare it. */
export async function readBody(source: Readable, expected: Expected, pace?: Pace): Promise<ReadBody> {
  const body = new MeasuredBody(source, expected, 0, () => undefined, pace);
  try {
    for await (const _ of body.stream);
    return { kind: 'read', sha256: body.digest() };
  } catch (error) {
    body.release();
    if (body.fault === undefined) throw error;
    return { kind: body.fault };
  }
}
