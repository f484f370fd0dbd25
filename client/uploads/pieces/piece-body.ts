import { PassThrough, Readable } from 'node:stream';
import type { Inflow } from './inflow.ts';

/** S3 refuses chunks below 8 KiB in a chunked upload, and larger ones cost less. Bytes. */
const chunk = 64 * 1024;

/**
 * A piece on its way to the store: what stood before it, then the next `size` bytes of the caller's body.
 * @param seen gets the caller's bytes in their order
 * @param failed called when they do not all come, since the store would wait for the rest
 */
export function pieceBody(
  before: AsyncIterable<Uint8Array>,
  inflow: Inflow,
  size: number,
  seen: (bytes: Buffer) => void,
  failed: (error: unknown) => void,
): Readable {
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield* before;
    for (let left = size; left > 0; ) {
      const some = await inflow.next();
      // A body that ends early has less than its sender has promised.
      if (some === undefined) throw new Error('The body ended early');
      const fits = some.subarray(0, left);
      if (fits.length < some.length) inflow.unread([some.subarray(fits.length)]);
      left -= fits.length;
      seen(fits);
      yield fits;
    }
  }
  const source = Readable.from(whole(bytes()), { objectMode: false, highWaterMark: chunk });
  source.on('error', failed);
  // The SDK wraps a body in streams of its own, on which nobody hears an error. This one never has one: the call is aborted.
  const body = source.pipe(new PassThrough({ highWaterMark: chunk }));
  body.once('close', () => source.destroy());
  return body;
}

/** Joins small chunks. */
async function* whole(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let length = 0;
  for await (const some of source) {
    waiting.push(some);
    length += some.length;
    if (length < chunk) continue;
    yield waiting.length === 1 ? some : Buffer.concat(waiting, length);
    [waiting, length] = [[], 0];
  }
  if (length > 0) yield Buffer.concat(waiting, length);
}

export async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const some of bytes) all.push(some);
  return all;
}

export async function* inTurn(one: AsyncIterable<Uint8Array>, other: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* one;
  yield* other;
}
