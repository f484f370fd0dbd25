import { Decoders } from './decoder/decoders.ts';
import { isDecodable, largestPicture } from './decoder/picture-limits.ts';
import { recipe, thumbnailBoxes, thumbnailType } from './decoder/thumbnail-boxes.ts';
import { Refused } from './stores/outcomes/refused.ts';
import type { Database } from './stores/postgres/database.ts';
import { contentLives } from './stores/postgres/uploads/collected-content.ts';
import { deleteObject } from './stores/s3/delete-object.ts';
import { headObject } from './stores/s3/head-object.ts';
import type { ObjectStore } from './stores/s3/object-store.ts';
import { putOnce } from './stores/s3/put-once.ts';
import { openObject } from './stores/s3/read-object.ts';
import { thumbnailPrefix } from './stores/s3/upload-keys.ts';

/** `shown` is the type that the first bytes show. The declared type never starts a decoder. */
export type Picture = {
  readonly content: string;
  readonly objectKey: string;
  readonly size: number;
  readonly shown: string;
};

export type Thumbnail = {
  readonly key: string;
  readonly type: string;
  readonly width: number;
  readonly height: number;
  readonly size: number;
};

/** One set for all flows of the worker. Each is a process, which starts when it is needed. */
const decoders = new Decoders();

/**
 * Makes the thumbnails of a content, once for each content and recipe. Repeatable.
 * @returns none for what is no picture
 * @throws Refused where it cannot be decoded
 */
export async function makeThumbnails(
  database: Database,
  store: ObjectStore,
  { content, objectKey, size, shown }: Picture,
  { tenant, signal }: { readonly tenant: string; readonly signal: AbortSignal },
): Promise<readonly Thumbnail[]> {
  if (!shown.startsWith('image/')) return [];
  if (!isDecodable(shown)) throw undecodable(`there is no decoder for ${shown} here`);
  if (size > largestPicture) throw undecodable(`files above ${largestPicture} bytes are not decoded`);
  const there = await Promise.all(thumbnailBoxes.map(({ nominal }) => thumbnailAt(store, keyOf(content, nominal))));
  if (there.every((thumbnail) => thumbnail !== undefined)) return there;
  const open = async () => await openObject(store, objectKey, signal);
  const decoded = await decoders.decode(open, { size, type: shown }, signal);
  if (decoded.kind !== 'made') throw undecodable(decoded.why);
  const made: Thumbnail[] = [];
  for (const { nominal, bytes, width, height } of decoded.pictures) {
    signal.throwIfAborted();
    const key = keyOf(content, nominal);
    const metadata = { width: String(width), height: String(height) };
    await putOnce(store, key, bytes, { type: thumbnailType, metadata });
    made.push({ key, type: thumbnailType, width, height, size: bytes.length });
  }
  if (!(await contentLives(database, tenant, content))) {
    for (const { key } of made) await deleteObject(store, key);
    throw new Error(`The content ${content} was given up while its thumbnails were made`);
  }
  return made;
}

function undecodable(why: string): Refused {
  return new Refused({ code: 'content-undecodable', detail: `The picture has no thumbnails: ${why}.` });
}

function keyOf(content: string, width: number): string {
  return `${thumbnailPrefix(content)}${recipe}/${width}.webp`;
}

async function thumbnailAt(store: ObjectStore, key: string): Promise<Thumbnail | undefined> {
  const facts = await headObject(store, key);
  if (facts === undefined) return undefined;
  const { width, height } = facts.metadata;
  return { key, type: thumbnailType, width: Number(width), height: Number(height), size: facts.size };
}
