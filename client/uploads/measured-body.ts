import { createHash } from 'node:crypto';
import { type Readable, Transform } from 'node:stream';
import { crc32 } from 'node:zlib';
import { type Pace, SenderWatch, uploadPace } from './sender-watch.ts';

/** Why a body did not become an object. */
export type BodyFault = 'cut' | 'silent' | 'slow' | 'too-long' | 'too-short' | 'other-bytes' | 'other-digest';

/** What was announced about a body: its size in bytes, and its digest in lower-case hex if that is known. */
type Expected = {
  readonly size: number;
  readonly sha256?: string | undefined;
  /** What the sender says of these very bytes. */
  readonly digests?: readonly SentDigest[];
};

/** A digest that a sender gives along with bytes. */
export type SentDigest = { readonly algorithm: 'md5' | 'sha1' | 'sha256' | 'sha512'; readonly value: Buffer };

/**
 * A caller's bytes on their way to the store. They are counted and hashed, and their start is kept, in their one pass
 * through the HTTP API.
 */
export class MeasuredBody {
  readonly stream: Transform;
  /** The first bytes, which show the type. */
  start: Buffer = Buffer.alloc(0);
  size = 0;
  /** Of all bytes so far, as the object store has it. */
  crc32 = 0;
  fault: BodyFault | undefined;
  readonly #source: Readable;
  readonly #watch: SenderWatch;
  readonly #hash = createHash('sha256');
  #digest: string | undefined;

  /**
   * @param startLength how many of the first bytes are kept
   * @param failed called at once on a fault, since the store would wait for the rest
   */
  constructor(source: Readable, expected: Expected, startLength: number, failed: () => void, pace: Pace = uploadPace) {
    this.#source = source;
    const promised = (expected.digests ?? []).map(({ algorithm, value }) => ({ hash: createHash(algorithm), value }));
    this.stream = new Transform({
      transform: (piece: Buffer, _encoding, done) => {
        this.size += piece.length;
        if (this.size > expected.size) return done(this.#failed('too-long'));
        this.#hash.update(piece);
        this.crc32 = crc32(piece, this.crc32);
        for (const { hash } of promised) hash.update(piece);
        if (this.start.length < startLength)
          this.start = Buffer.concat([this.start, piece.subarray(0, startLength - this.start.length)]);
        done(null, piece);
      },
      // Runs before the store learns that the body has ended, so that a wrong body is not stored.
      flush: (done) => {
        if (this.size < expected.size) return done(this.#failed('too-short'));
        if (!promised.every(({ hash, value }) => hash.digest().equals(value)))
          return done(this.#failed('other-digest'));
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

  /** Whether the store has everything that has come so far, so that both wait for the sender. */
  get waitsForSender(): boolean {
    return this.#watch.waiting;
  }

  readonly #came = (piece: Buffer): void => {
    this.#watch.came(piece.length);
    // While the store keeps us waiting, the source is paused until the stream has drained.
    if (!this.stream.writableNeedDrain) this.#watch.wait();
  };

  /** Stops the transfer to the store. The caller's stream stays as it is, paused and open. */
  release(): void {
    this.#source.off('data', this.#came);
    this.#source.unpipe(this.stream);
    this.stream.destroy();
  }

  /** The SHA-256 of all bytes, in lower-case hex. Call it only after the last byte. */
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

/** Reads a body to compare it, without keeping it. */
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
