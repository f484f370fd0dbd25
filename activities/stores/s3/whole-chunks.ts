import { Transform } from 'node:stream';

/**
 * S3 refuses chunks below 8 KiB in a chunked upload (InvalidChunkSizeError), except the last. A fast caller's pieces
 * are bigger anyway, and of a slow caller no more than this is held back. Bytes.
 */
const chunk = 8 * 1024;

/**
 * Joins small pieces of a stream. The SDK's own buffer for this (`requestStreamBufferSize`, 3.1169.0) reads its source
 * without ever pausing it. With a slow store, a whole upload would pile up in memory.
 */
export function wholeChunks(): Transform {
  let kept: Buffer[] = [];
  let length = 0;
  const take = (): Buffer => {
    const [first = Buffer.alloc(0)] = kept;
    const whole = kept.length === 1 ? first : Buffer.concat(kept, length);
    kept = [];
    length = 0;
    return whole;
  };
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      kept.push(piece);
      length += piece.length;
      if (length < chunk) done();
      else done(null, take());
    },
    flush(done) {
      if (length === 0) done();
      else done(null, take());
    },
  });
}
