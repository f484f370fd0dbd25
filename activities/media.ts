import type { Readable } from 'node:stream';
import { decodeThumbnails, recipe, thumbnailType, widths } from './decode-thumbnails.ts';
import type { OutsideStep } from './engine/outside-step.ts';
import { Refused } from './stores/outcomes/refused.ts';
import type { Database } from './stores/postgres/database.ts';
import { contentLives } from './stores/postgres/uploads/collected-content.ts';
import { deleteObject } from './stores/s3/delete-object.ts';
import { headObject } from './stores/s3/head-object.ts';
import type { ObjectStore } from './stores/s3/object-store.ts';
import { putOnce } from './stores/s3/put-once.ts';
import { openObject } from './stores/s3/read-object.ts';
import { thumbnailPrefix } from './stores/s3/upload-keys.ts';

type MediaSteps = {
  thumbnails: {
    /** `shown` is the type that the first bytes show. The declared type never starts a decoder. */
    input: { readonly content: string; readonly objectKey: string; readonly size: number; readonly shown: string };
    result: { readonly thumbnails: readonly Thumbnail[] };
  };
};

type Thumbnail = {
  readonly key: string;
  readonly type: string;
  readonly width: number;
  readonly height: number;
  readonly size: number;
};

/**
 * Formats with one well-tested decoder each. SVG is not among them: a drawing may name files for the decoder to read.
 */
const decodable = new Set([
  'image/jpeg',
  'image/png',
  'image/apng',
  'image/webp',
  'image/gif',
  'image/avif',
  'image/tiff',
]);
/** 50 megapixels of camera raw in a TIFF are 300 MB, of a photograph in JPEG 30 MB; memory has room for two of these. Bytes. */
const largest = 128 * 1024 * 1024;

/** Makes the thumbnails of a content, once for each content and recipe. */
export function mediaSteps(database: Database, store: ObjectStore) {
  type Input = MediaSteps['thumbnails']['input'];
  const thumbnails: OutsideStep<Input, Input, { thumbnails: readonly Thumbnail[] }> = {
    request: (input) => input,
    async send({ content, objectKey, size, shown }, { tenant, signal }) {
      if (!decodable.has(shown)) return { thumbnails: [] };
      if (size > largest)
        throw new Refused({ code: 'content-undecodable', detail: `Pictures above ${largest} bytes are not decoded.` });
      const there = await Promise.all(widths.map((width) => thumbnailAt(store, keyOf(content, width))));
      if (there.every((thumbnail) => thumbnail !== undefined)) return { thumbnails: there };
      const pictures = await decodeThumbnails(await whole(await openObject(store, objectKey, signal)));
      const made: Thumbnail[] = [];
      for (const { nominal, bytes, width, height } of pictures) {
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
      return { thumbnails: made };
    },
  };
  return { thumbnails };
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

async function whole(stream: Readable): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece as Uint8Array);
  return Buffer.concat(pieces);
}
