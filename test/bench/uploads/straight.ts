import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { ObjectStore } from '../../../activities/stores/s3/object-store.ts';
import { putStream } from '../../../activities/stores/s3/put-stream.ts';
import { eachAtOnce } from '../../support/each-at-once.ts';
import { ask } from './upload-load.ts';

type Part = {
  readonly number: number;
  readonly url: string;
  readonly method: string;
  readonly headers: Record<string, string>;
};

const token = { authorization: 'Bearer local-alpha' };

/** @returns milliseconds from the announcement to the answer of the complete, and of the complete alone */
export async function presigned(
  server: string,
  size: number,
): Promise<{ readonly all: number; readonly complete: number }> {
  const piece = randomBytes(Math.min(size, 8 * 1024 ** 2));
  const digests = new Map<number, string>();
  const digestOf = (length: number): string => {
    const known = digests.get(length) ?? createHash('sha256').update(piece.subarray(0, length)).digest('hex');
    digests.set(length, known);
    return known;
  };
  const begun = performance.now();
  const headers = { ...token, 'content-type': 'application/json', 'idempotency-key': randomUUID() };
  const body = {
    name: 'large.bin',
    size,
    type: 'application/octet-stream',
    destination: 'bench',
    transfer: 'multipart',
  };
  const announced = await ask(`${server}/v1/uploads`, 'POST', headers, Buffer.from(JSON.stringify(body)));
  const { id, transfer } = JSON.parse(announced.text) as { id: string; transfer: { count: number; partSize: number } };
  const lengthOf = (number: number): number => Math.min(transfer.partSize, size - (number - 1) * transfer.partSize);
  const numbers = Array.from({ length: transfer.count }, (_, index) => index + 1);
  const wanted = Buffer.from(
    JSON.stringify({ parts: numbers.map((number) => ({ number, sha256: digestOf(lengthOf(number)) })) }),
  );
  const signed = await ask(
    `${server}/v1/uploads/${id}/parts`,
    'POST',
    { ...token, 'content-type': 'application/json' },
    wanted,
  );
  const { parts } = JSON.parse(signed.text) as { parts: Part[] };
  await eachAtOnce(4, parts, async ({ number, url, method, headers: own }) => {
    const told = await ask(url, method, own, piece.subarray(0, lengthOf(number)));
    if (told.status !== 200) throw new Error(`No part: ${told.status} ${told.text}`);
  });
  const completing = performance.now();
  const done = await ask(`${server}/v1/uploads/${id}/complete`, 'POST', { ...token, 'content-length': 0 });
  if (done.status !== 200) throw new Error(`Not completed: ${done.status} ${done.text}`);
  return { all: performance.now() - begun, complete: performance.now() - completing };
}

/** The same with the SDK alone, up to where the parts are in the store. @returns milliseconds, without and of its Complete */
export async function bySdk(
  store: ObjectStore,
  size: number,
): Promise<{ readonly parts: number; readonly complete: number }> {
  const piece = randomBytes(Math.min(size, 8 * 1024 ** 2));
  const checksum = createHash('sha256').update(piece).digest('base64');
  const object = { Bucket: store.bucket, Key: `raw/${randomUUID()}` };
  const begun = performance.now();
  const { UploadId } = await store.client.send(
    new CreateMultipartUploadCommand({ ...object, ChecksumAlgorithm: 'SHA256' }),
  );
  const done: { PartNumber: number; ETag: string | undefined; ChecksumSHA256: string }[] = [];
  const numbers = Array.from({ length: Math.ceil(size / piece.length) }, (_, index) => index + 1);
  await eachAtOnce(4, numbers, async (PartNumber) => {
    const part = { ...object, UploadId, PartNumber, Body: piece, ChecksumSHA256: checksum };
    const { ETag } = await store.streaming.send(new UploadPartCommand(part));
    done.push({ PartNumber, ETag, ChecksumSHA256: checksum });
  });
  const parts = performance.now() - begun;
  const Parts = done.toSorted((a, b) => a.PartNumber - b.PartNumber);
  await store.streaming.send(new CompleteMultipartUploadCommand({ ...object, UploadId, MultipartUpload: { Parts } }));
  const complete = performance.now() - begun - parts;
  await store.client.send(new DeleteObjectCommand(object));
  return { parts, complete };
}

/** @returns bytes a millisecond, of one plain PUT through the HTTP API */
export async function plainPut(server: string, size: number): Promise<number> {
  const headers = { ...token, 'content-type': 'application/json', 'idempotency-key': randomUUID() };
  const body = { name: 'large.bin', size, type: 'application/octet-stream', destination: 'bench', dedup: 'intent' };
  const announced = await ask(`${server}/v1/uploads`, 'POST', headers, Buffer.from(JSON.stringify(body)));
  const { transfer } = JSON.parse(announced.text) as { transfer: { url: string } };
  const begun = performance.now();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const sent = request(transfer.url, {
    method: 'PUT',
    headers: { ...token, 'content-type': 'application/octet-stream', 'content-length': size },
  });
  sent.once('response', (answer) => answer.resume().once('end', () => resolve(answer.statusCode ?? 0)));
  sent.once('error', reject);
  zeros(size).pipe(sent);
  const status = await promise;
  if (status !== 200) throw new Error(`Not taken: ${status}`);
  return size / (performance.now() - begun);
}

/** @returns bytes a millisecond, of a stream straight into the store */
export async function rawPut(store: ObjectStore, size: number): Promise<number> {
  const key = `raw/${randomUUID()}`;
  const begun = performance.now();
  const { signal } = new AbortController();
  await putStream(store, {
    key,
    body: zeros(size),
    size,
    type: 'application/octet-stream',
    operation: 'bench',
    signal,
  });
  const rate = size / (performance.now() - begun);
  await store.client.send(new DeleteObjectCommand({ Bucket: store.bucket, Key: key }));
  return rate;
}

function zeros(size: number): Readable {
  const piece = Buffer.alloc(64 * 1024, 7);
  let left = size;
  return new Readable({
    highWaterMark: 256 * 1024,
    read() {
      const some = piece.subarray(0, left);
      left -= some.length;
      this.push(some.length === 0 ? null : some);
    },
  });
}
