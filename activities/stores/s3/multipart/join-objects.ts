import { partLimits } from '../../../../workflows/operation/part-limits.ts';
import { headObject } from '../head-object.ts';
import type { ObjectStore } from '../object-store.ts';
import { operationToken } from '../operation-token.ts';
import { putOnce } from '../put-once.ts';
import { readRange } from '../read-object.ts';
import { abortMultipart } from './abort-multipart.ts';
import { beginMultipart } from './begin-multipart.ts';
import { completeMultipart } from './complete-multipart.ts';
import { copyPart } from './copy-part.ts';
import { uploadSmallPart } from './upload-part.ts';

type Source = { readonly objectKey: string; readonly size: number };

type Joined = { readonly objectKey: string; readonly size: number; readonly type: string; readonly operation: string };

type MadePart = { readonly part: number; readonly etag: string; readonly checksum: string | null };

/** A store says nothing while it copies, and is given up on after 30 s of silence. Bytes. */
const copied = 1024 ** 3;

/**
 * Makes one object of several, in their order. What is large enough is copied inside the store; what is too small for a
 * part is read, together with as much of its successor as a part needs. An object that is there already is left as it is.
 * @throws an error for which `objectMissing` holds when a source is gone
 */
export async function joinObjects(store: ObjectStore, sources: readonly Source[], joined: Joined): Promise<void> {
  const { objectKey, size, type, operation } = joined;
  const facts = await headObject(store, objectKey);
  if (facts?.size === size && facts.metadata[operationToken] === operation) return;
  if (size === 0) {
    await putOnce(store, objectKey, new Uint8Array(), { type, metadata: { [operationToken]: operation } });
    return;
  }
  const s3UploadId = await beginMultipart(store, { key: objectKey, type, operation });
  const target = { objectKey, s3UploadId };
  try {
    const parts = await partsOf(store, sources, target);
    await completeMultipart(store, { ...target, operation, size, parts });
  } catch (error) {
    await abortMultipart(store, target).catch(() => undefined);
    throw error;
  }
}

async function partsOf(
  store: ObjectStore,
  sources: readonly Source[],
  target: { readonly objectKey: string; readonly s3UploadId: string },
): Promise<readonly MadePart[]> {
  const parts: MadePart[] = [];
  let carried: Uint8Array[] = [];
  let carries = 0;
  const send = async (): Promise<void> => {
    const part = parts.length + 1;
    const body = Buffer.concat(carried, carries);
    [carried, carries] = [[], 0];
    parts.push({ part, checksum: null, ...(await uploadSmallPart(store, { ...target, part, body })) });
  };
  for (const { objectKey: from, size } of sources) {
    let at = 0;
    const carry = async (length: number): Promise<void> => {
      carried.push(await readRange(store, from, at, length));
      carries += length;
      at += length;
    };
    while (at < size) {
      const left = size - at;
      if (carries > 0 || left < partLimits.smallest) {
        await carry(Math.min(left, partLimits.smallest - carries));
        if (carries === partLimits.smallest) await send();
        continue;
      }
      const part = parts.length + 1;
      const length = Math.min(left, copied);
      parts.push({ part, checksum: null, ...(await copyPart(store, { ...target, part, from, at, size: length })) });
      at += length;
    }
  }
  if (carries > 0) await send();
  return parts;
}
