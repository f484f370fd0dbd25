import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { objectMissing } from './object-missing.ts';
import type { ObjectStore } from './object-store.ts';

type ObjectFacts = {
  readonly size: number;
  readonly type: string | undefined;
  /** Lower-case hex; undefined if the store has none over the whole object (a composite "-N" does not count). */
  readonly sha256: string | undefined;
  /** Unsigned; undefined if the store has none over the whole object. */
  readonly crc32: number | undefined;
  /** In base64; undefined if the store has none over the whole object. */
  readonly crc64nvme: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
};

/** @returns what the store says of an object, or undefined if there is none */
export async function headObject(store: ObjectStore, key: string): Promise<ObjectFacts | undefined> {
  try {
    const head = await store.client.send(
      new HeadObjectCommand({ Bucket: store.bucket, Key: key, ChecksumMode: 'ENABLED' }),
    );
    const crc32 = head.ChecksumType === 'COMPOSITE' ? undefined : head.ChecksumCRC32;
    const whole = head.ChecksumType !== 'COMPOSITE' && head.ChecksumSHA256?.includes('-') === false;
    return {
      size: head.ContentLength ?? 0,
      type: head.ContentType,
      sha256: whole && head.ChecksumSHA256 ? Buffer.from(head.ChecksumSHA256, 'base64').toString('hex') : undefined,
      crc32: crc32 === undefined ? undefined : Buffer.from(crc32, 'base64').readUInt32BE(),
      crc64nvme: head.ChecksumType === 'COMPOSITE' ? undefined : head.ChecksumCRC64NVME,
      metadata: head.Metadata ?? {},
    };
  } catch (error) {
    if (objectMissing(error)) return undefined;
    throw error;
  }
}
