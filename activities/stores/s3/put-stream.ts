import type { Readable } from 'node:stream';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { seconds } from '../../../workflows/operation/duration.ts';
import type { ObjectStore } from './object-store.ts';
import { operationToken } from './operation-token.ts';
import { wholeChunks } from './whole-chunks.ts';

export type StreamedObject = {
  readonly key: string;
  readonly body: Readable;
  /** The exact length of the body in bytes. */
  readonly size: number;
  readonly type: string;
  readonly operation: string;
  /** Ends the call if the body cannot be completed. The store then keeps nothing. */
  readonly signal: AbortSignal;
};

/** The SDK gives a failed connection the same name, but reports it much sooner. Milliseconds. */
const connecting = seconds(10);

/**
 * Nothing went to the store or came from it until the SDK, or the store itself (`RequestTimeout`), gave up. Either the
 * bytes did not come, or the store does not take them. Only the code that reads the bytes knows which.
 */
export class StoreIdle extends Error {
  override readonly name = 'StoreIdle';

  constructor(cause: unknown) {
    super('The connection to the object store was idle for too long', { cause });
  }

  static is(error: unknown): boolean {
    return error instanceof StoreIdle;
  }
}

/**
 * Writes a new object from a stream, with a CRC32 that follows the bytes: without a checksum versitygw 1.8.0 keeps what
 * had arrived of a cut body. It never overwrites. The SHA-256 is the reader's, who takes it once.
 */
export async function putStream(store: ObjectStore, object: StreamedObject): Promise<void> {
  const { key, body, size, type, operation, signal } = object;
  const command = new PutObjectCommand({
    Bucket: store.bucket,
    Key: key,
    // Faults of the body arrive through the signal.
    Body: body.pipe(wholeChunks()),
    ContentLength: size,
    ContentType: type,
    ChecksumAlgorithm: 'CRC32',
    IfNoneMatch: '*',
    Metadata: { [operationToken]: operation },
  });
  // `aws-chunked` frames the bytes on their way, as `x-amz-content-sha256` says too, and is no coding of the object. S3
  // drops the word; versitygw 1.8.0 keeps it, and a client that knows its codings then refuses to read the object. The
  // step stands behind the SDK's checksum and before the signature.
  command.middlewareStack.add(
    (next) => async (call) => {
      delete (call.request as { headers: Record<string, string> }).headers['content-encoding'];
      return await next(call);
    },
    { step: 'build', priority: 'low', name: 'plainContent' },
  );
  const begun = performance.now();
  try {
    await store.streaming.send(command, { abortSignal: signal });
  } catch (error) {
    const { name } = error as Error;
    const idle = name === 'TimeoutError' || name === 'RequestTimeout';
    throw idle && performance.now() - begun > connecting ? new StoreIdle(error) : error;
  }
}
