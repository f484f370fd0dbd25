import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import sharp from 'sharp';
import { openObject } from '../../../activities/stores/s3/read-object.ts';
import { Decoders } from '../../../activities/decoder/decoders.ts';
import { thumbnailBoxes } from '../../../activities/decoder/thumbnail-boxes.ts';
import { eachAtOnce } from '../../support/each-at-once.ts';
import { median } from '../measure/statistics.ts';
import type { Part } from '../part.ts';
import { startPlainUploads } from '../uploads/plain-uploads.ts';
import { plainPut } from '../uploads/straight.ts';
import { drained, small } from '../uploads/upload-load.ts';
import { startUploadStack } from '../uploads/upload-stack.ts';

const GiB = 1024 ** 3;
const token = { authorization: 'Bearer local-alpha' };
/** Photographs of 12 megapixels, two at once, as the media worker has them. */
const photographs = 24;
const atOnce = 2;
/** Small pictures in one go. */
const burst = 500;
/** A burst takes more than a minute on each side. */
const mostRounds = 3;

/** Downloads against the object store itself, and decoder processes against sharp in this one. */
export const assetsPart: Part = async ({ servers, rounds: count, say }) => {
  const stack = await startUploadStack(servers);
  const plain = await startPlainUploads(servers, stack.storeSettings);
  const decoders = new Decoders();
  const [door] = stack.doors;
  const rounds: Record<string, number>[] = [];
  try {
    await plainPut(door.url, GiB);
    const asset = await readyAsset(door.url);
    const photograph = await picture();
    await decoded(decoders, photograph, atOnce);
    const most = Math.min(count, mostRounds);
    for (let number = 1; number <= most; number += 1) {
      const round = {
        raw: await speed(await openObject(stack.store, keyOf(asset.download.url, stack.store.bucket))),
        door: await speed(await got(asset.content.url, token)),
        signed: await speed(await got(asset.download.url, {})),
        sharp: await madeHere(photograph, photographs),
        decoders: await decoded(decoders, photograph, photographs),
        burst: await ready(door.url, servers.postgres.url, await smallPictures(burst)),
        burstPlain: await plain.settle(await smallPictures(burst), 16, true),
      };
      rounds.push(round);
      say(`assets: round ${number} of ${most}: ${JSON.stringify(round)}`);
    }
    const of = (name: string): number => median(rounds.map((round) => round[name] ?? 0));
    const ratio = (a: string, b: string): number => median(rounds.map((round) => (round[a] ?? 0) / (round[b] ?? 1)));
    const against = (name: string, a: string, b: string, unit: string, atLeast: number) => ({
      ...{ name, hapax: of(a), plain: of(b), value: ratio(a, b), unit, target: { atLeast } },
    });
    return {
      figures: [
        against('download of 1 GiB, signed at the store', 'signed', 'raw', '× a raw read', 0.9),
        against('download of 1 GiB through the HTTP API', 'door', 'raw', '× a raw read', 0.9),
        against('a burst of 500 small pictures until they are ready', 'burst', 'burstPlain', '× bare workflows', 0.7),
        against('thumbnails of 12 megapixels a second', 'decoders', 'sharp', '× sharp alone', 0.95),
      ],
      raw: rounds,
    };
  } finally {
    await plain.stop();
    await stack.stop();
  }
};

type Shown = { readonly content: { readonly url: string }; readonly download: { readonly url: string } };

/** The file that was just sent, once it is ready. */
async function readyAsset(server: string): Promise<Shown> {
  for (;;) {
    const answer = await fetch(`${server}/v1/uploads?state=succeeded`, { headers: token });
    const { uploads } = (await answer.json()) as { uploads: { result?: { assetId: string } }[] };
    const id = uploads[0]?.result?.assetId;
    if (id !== undefined) return (await (await fetch(`${server}/v1/assets/${id}`, { headers: token })).json()) as Shown;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function got(url: string, headers: Record<string, string>): Promise<Readable> {
  const answer = await fetch(url, { headers });
  if (answer.status !== 200 || answer.body === null) throw new Error(`Not sent: ${answer.status}`);
  return Readable.fromWeb(answer.body);
}

function keyOf(url: string, bucket: string): string {
  return decodeURIComponent(new URL(url).pathname.slice(`/${bucket}/`.length));
}

/** @returns MB a second */
async function speed(bytes: Readable): Promise<number> {
  const begun = performance.now();
  let length = 0;
  for await (const piece of bytes) length += (piece as Uint8Array).length;
  if (length !== GiB) throw new Error(`${length} bytes came`);
  return length / 1_000 / (performance.now() - begun);
}

function picture(): Promise<Buffer> {
  const noise = { type: 'gaussian', mean: 128, sigma: 20 } as const;
  return sharp({ create: { width: 4_000, height: 3_000, channels: 3, background: 'grey', noise } })
    .jpeg()
    .toBuffer();
}

/** Each is another picture, of 640 × 480 pixels. */
async function smallPictures(count: number): Promise<readonly Buffer[]> {
  const noise = { type: 'gaussian', mean: 128, sigma: 20 } as const;
  const one = await sharp({ create: { width: 640, height: 480, channels: 3, background: 'grey', noise } })
    .jpeg()
    .toBuffer();
  return Array.from({ length: count }, () => Buffer.concat([one, randomBytes(16)]));
}

/** @returns pictures a second, from the first that is announced to the last that is ready */
async function ready(server: string, database: string, pictures: readonly Buffer[]): Promise<number> {
  const begun = performance.now();
  await small(server, pictures, 16);
  await drained(database);
  return (pictures.length * 1_000) / (performance.now() - begun);
}

/** @returns pictures a second */
async function decoded(decoders: Decoders, bytes: Buffer, count: number): Promise<number> {
  const { signal } = new AbortController();
  const asked = { size: bytes.length, type: 'image/jpeg' } as const;
  return await each(count, async () => {
    const made = await decoders.decode(async () => Readable.from([bytes], { objectMode: false }), asked, signal);
    if (made.kind !== 'made') throw new Error(made.why);
  });
}

/** The same pictures by sharp in this process. */
async function madeHere(bytes: Buffer, count: number): Promise<number> {
  sharp.concurrency(1);
  sharp.cache(false);
  return await each(count, async () => {
    const largest = await sharp(bytes)
      .autoOrient()
      .resize({ width: 1_280 })
      .raw()
      .toBuffer({ resolveWithObject: true });
    for (const { width } of thumbnailBoxes)
      await sharp(largest.data, { raw: largest.info }).resize({ width }).webp({ quality: 80 }).toBuffer();
  });
}

async function each(count: number, work: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await eachAtOnce(atOnce, [...Array(count).keys()], work);
  return (count * 1_000) / (performance.now() - begun);
}
