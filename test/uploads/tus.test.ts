import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { placedOnce } from '../support/one-upload.ts';
import { sha256, Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';
import { TusCaller } from './tus-caller.ts';

let world: World;
let uploader: Uploader;
let tus: TusCaller;
beforeAll(async () => {
  world = await World.create(inject('ground'), { doors: 2, media: true });
  uploader = await Uploader.of(world);
  tus = new TusCaller(world);
});
afterAll(async () => {
  await uploader.close();
  await world.close();
});

const MiB = 1024 ** 2;

describe('an upload by tus', () => {
  it.each([
    { what: 'no bytes', size: 0, cuts: [] },
    { what: 'one small body', size: 64 * 1024, cuts: [] },
    { what: 'small pieces', size: 300_000, cuts: [1, 100_000, 100_001] },
    { what: 'one large body', size: 40 * MiB, cuts: [] },
    { what: 'large and small pieces', size: 40 * MiB, cuts: [7 * MiB, 7 * MiB + 1, 20 * MiB, 39 * MiB] },
  ])('is the bytes that were sent, as $what', async ({ what, size, cuts }) => {
    const bytes = randomBytes(size);
    const upload = await tus.created(what, bytes.length);
    const ends = [...cuts, size];
    let at = 0;
    for (const [n, end] of ends.entries()) {
      if (size === 0) break;
      const sent = await tus.patch(upload, at, bytes.subarray(at, end), {}, n % 2);
      expect([sent.status, sent.headers.get('upload-offset')], sent.text).toEqual([204, `${end}`]);
      const looked = await tus.head(upload, {}, (n + 1) % 2);
      expect([looked.status, looked.headers.get('upload-offset')]).toEqual([200, `${end}`]);
      at = end;
    }
    const { json } = await uploader.settled(upload.id);
    expect(json).toMatchObject({ state: 'succeeded', result: { size, sha256: sha256(bytes) } });
    await placedOnce(uploader, upload.id, bytes);
  });
});
