import { createHash, randomUUID } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { deleteObject } from './delete-object.ts';
import { headObject } from './head-object.ts';
import { listObjects } from './list-objects.ts';
import { objectExists, objectMissing, statusOf } from './object-missing.ts';
import type { ObjectStore } from './object-store.ts';
import { minutes } from '../../../workflows/operation/duration.ts';
import { proofPrefix, proofs } from './upload-keys.ts';

/** `replaced`: the store took the parts and lost what was there, whatever the condition said. */
type FailedComplete = 'parts-kept' | 'upload-gone' | 'replaced' | 'unknown';

export type BucketFinding =
  | { readonly kind: 'proved'; readonly faults: readonly string[]; readonly failedComplete: FailedComplete }
  /** Nothing is known: the store is away, or lets us do nothing. */
  | { readonly kind: 'unreachable'; readonly why: string };

/** Longer than any proof takes. */
const abandonedAfter = minutes(10);

/** A store that loses a race only now and then may win a single one. */
const races = 3;

/**
 * Tries what uploads depend on, with small objects under a prefix of their own that are removed afterwards. It never
 * throws: a store that cannot be tried is not a failed proof.
 */
export async function proveBucket(store: ObjectStore): Promise<BucketFinding> {
  const prefix = proofPrefix(randomUUID());
  await clearAbandoned(store).catch(() => undefined);
  const finding = await tried(store, prefix).catch(
    (error: unknown): BucketFinding => ({ kind: 'unreachable', why: told(error) }),
  );
  await clear(store, prefix).catch(() => undefined);
  return finding;
}

async function tried(store: ObjectStore, prefix: string): Promise<BucketFinding> {
  const faults: string[] = [];
  for (let race = 0; race < races; race += 1) {
    const key = `${prefix}race-${race}`;
    const written = await Promise.all(['one', 'other'].map((body) => putNew(store, key, body)));
    const winners = written.filter((done) => done).length;
    if (winners > 1) {
      faults.push(
        'of two PUTs at once with `If-None-Match: *` it took both: one upload could replace the bytes of another',
      );
      break;
    }
    if (winners === 0 && !(await putNew(store, key, 'third')) && (await headObject(store, key)) === undefined) {
      faults.push('it refuses every PUT with `If-None-Match: *`');
      break;
    }
    if (await putNew(store, key, 'late')) {
      faults.push('a PUT with `If-None-Match: *` replaced an object that was there');
      break;
    }
  }
  if (await takesWrongChecksum(store, `${prefix}checksum`))
    faults.push('it kept bytes that are not those of their `x-amz-checksum-sha256`');
  return { kind: 'proved', faults, failedComplete: await completeInVain(store, `${prefix}race-0`) };
}

/** @returns whether the store took it. @throws anything but a refusal because of the condition */
async function putNew(store: ObjectStore, key: string, body: string): Promise<boolean> {
  return await store.client
    .send(
      new PutObjectCommand({
        Bucket: store.bucket,
        Key: key,
        Body: body,
        ContentLength: body.length,
        IfNoneMatch: '*',
      }),
    )
    .then(
      () => true,
      (error: unknown) => {
        if (objectExists(error) || notImplemented(error)) return false;
        throw error;
      },
    );
}

async function takesWrongChecksum(store: ObjectStore, key: string): Promise<boolean> {
  const checksum = createHash('sha256').update('other bytes').digest('base64');
  const put = { Bucket: store.bucket, Key: key, Body: 'bytes', ContentLength: 5, ChecksumSHA256: checksum };
  await store.client.send(new PutObjectCommand(put)).catch((error: unknown) => {
    if (!refused(error)) throw error;
  });
  return (await headObject(store, key)) !== undefined;
}

/** A multipart upload of an existing object, which `If-None-Match: *` has to refuse. */
async function completeInVain(store: ObjectStore, key: string): Promise<FailedComplete> {
  const object = { Bucket: store.bucket, Key: key };
  const { UploadId } = await store.client.send(
    new CreateMultipartUploadCommand({ ...object, ChecksumAlgorithm: 'SHA256' }),
  );
  const part = { ...object, UploadId, PartNumber: 1 };
  try {
    const checksum = createHash('sha256').update('part').digest('base64');
    const { ETag } = await store.client.send(
      new UploadPartCommand({ ...part, Body: 'part', ContentLength: 4, ChecksumSHA256: checksum }),
    );
    const Parts = [{ PartNumber: 1, ETag, ChecksumSHA256: checksum }];
    const completed = await store.client
      .send(new CompleteMultipartUploadCommand({ ...object, UploadId, MultipartUpload: { Parts }, IfNoneMatch: '*' }))
      .then(
        () => true,
        () => false,
      );
    if (completed) return 'replaced';
    return await store.client.send(new ListPartsCommand({ ...object, UploadId })).then(
      (listed) => (listed.Parts?.length === 1 ? 'parts-kept' : 'upload-gone'),
      (error: unknown) => (objectMissing(error) ? 'upload-gone' : 'unknown'),
    );
  } catch (error) {
    // A store without multipart uploads is no worse for uploads that go in one PUT.
    if (refused(error) || notImplemented(error)) return 'unknown';
    throw error;
  } finally {
    await store.client.send(new AbortMultipartUploadCommand({ ...object, UploadId })).catch(() => undefined);
  }
}

/** A process that is killed in the middle of its proof leaves some of it behind. */
async function clearAbandoned(store: ObjectStore): Promise<void> {
  const old = Date.now() - abandonedAfter;
  const page = await store.client.send(new ListObjectsV2Command({ Bucket: store.bucket, Prefix: proofs }));
  for (const { Key, LastModified } of page.Contents ?? [])
    if (Key !== undefined && LastModified !== undefined && LastModified.getTime() < old) await deleteObject(store, Key);
}

async function clear(store: ObjectStore, prefix: string): Promise<void> {
  for (const { key } of await listObjects(store, prefix)) await deleteObject(store, key);
}

/** The store has understood the request and refuses it. */
function refused(error: unknown): boolean {
  return statusOf(error) === 400;
}

function notImplemented(error: unknown): boolean {
  return statusOf(error) === 501;
}

function told(error: unknown): string {
  const { name, message } = error as Error;
  return `${name}: ${message}`.slice(0, 200);
}
