import type { Readable } from 'node:stream';
import { type Pace, SenderWatch, uploadPace } from '../sender-watch.ts';

/** Why no more bytes come although the body has not ended. */
export type Break = 'cut' | 'silent' | 'slow' | 'taken-over';

/** Thrown by a read when no more bytes come. */
export class InflowBroken extends Error {
  override readonly name = 'InflowBroken';
  readonly why: Break;

  constructor(why: Break) {
    super(`The bytes stopped: ${why}`);
    this.why = why;
  }
}

export type Gathered = {
  readonly bytes: readonly Buffer[];
  readonly length: number;
  /** Whether the body has ended behind them. */
  readonly ended: boolean;
  /** Set when no more will come, though the body has not ended. */
  readonly broken: Break | undefined;
};

/** A caller's body, read piece by piece. While nobody reads, the caller is kept waiting. */
export class Inflow {
  /** Bytes that were read. */
  read = 0;
  readonly #stream: Readable;
  readonly #watch: SenderWatch;
  /** When somebody first read. Before that the caller was kept waiting. By `performance.now()`. */
  #begun: number | undefined;
  #unread: Buffer[] = [];
  #broken: Break | undefined;
  #wake: () => void = () => undefined;

  constructor(stream: Readable, pace: Pace = uploadPace) {
    this.#stream = stream;
    this.#watch = new SenderWatch(pace, (why) => this.stop(why));
    this.#watch.rest();
    const cut = (): void => {
      if (!stream.readableEnded) this.stop('cut');
    };
    stream.on('readable', () => this.#wake());
    stream.once('end', () => this.#wake());
    stream.once('error', cut);
    stream.once('close', cut);
  }

  /** Bytes a millisecond, since the first read. */
  get rate(): number {
    const now = performance.now();
    return this.read / Math.max(1, now - (this.#begun ?? now));
  }

  /** Ends the reading. What was read stays read. */
  stop(why: Break): void {
    this.#broken ??= why;
    this.#watch.rest();
    this.#wake();
  }

  /**
   * @returns the next bytes; undefined at the end of the body
   * @throws InflowBroken
   */
  async next(): Promise<Buffer | undefined> {
    return (await this.#before(Number.POSITIVE_INFINITY)) as Buffer | undefined;
  }

  /** Gives bytes back: they are the next ones. */
  unread(bytes: readonly Buffer[]): void {
    this.#unread = [...bytes, ...this.#unread];
  }

  /**
   * Reads up to `most` bytes, or what comes within `patience` milliseconds and at least one byte. It never throws: what
   * has come before a break is worth keeping.
   */
  async gather(most: number, patience: number): Promise<Gathered> {
    const bytes: Buffer[] = [];
    let length = 0;
    const end = performance.now() + patience;
    while (length < most) {
      const piece = await this.#before(length === 0 ? Number.POSITIVE_INFINITY : end).catch((error: unknown) => {
        if (error instanceof InflowBroken) return error.why;
        throw error;
      });
      if (piece === undefined) return { bytes, length, ended: true, broken: undefined };
      if (piece === 'late') break;
      if (typeof piece === 'string') return { bytes, length, ended: false, broken: piece };
      const fits = piece.subarray(0, most - length);
      if (fits.length < piece.length) this.unread([piece.subarray(fits.length)]);
      bytes.push(fits);
      length += fits.length;
    }
    return { bytes, length, ended: this.#unread.length === 0 && this.#stream.readableEnded, broken: undefined };
  }

  async #before(end: number): Promise<Buffer | undefined | 'late'> {
    this.#begun ??= performance.now();
    const unread = this.#unread.shift();
    if (unread !== undefined) return unread;
    const stream = this.#stream;
    for (;;) {
      const bytes = stream.read() as Buffer | null;
      if (bytes !== null) {
        this.#watch.came(bytes.length);
        this.read += bytes.length;
        return bytes;
      }
      if (stream.readableEnded) {
        this.#watch.rest();
        return undefined;
      }
      if (this.#broken !== undefined) throw new InflowBroken(this.#broken);
      const left = end - performance.now();
      if (left <= 0) return 'late';
      this.#watch.wait();
      await this.#news(left);
    }
  }

  async #news(within: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const late = Number.isFinite(within) ? setTimeout(resolve, within) : undefined;
    await promise;
    clearTimeout(late);
  }
}
