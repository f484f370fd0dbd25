import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { oddPictures } from '../support/odd-pictures.ts';
import { typeFiles } from '../support/type-files.ts';
import { Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';

let world: World;
let uploader: Uploader;
beforeAll(async () => {
  world = await World.create(inject('ground'), { media: true });
  uploader = await Uploader.of(world);
});
afterAll(async () => {
  await uploader.close();
  await world.close();
});

type Small = { readonly key: string; readonly width: number; readonly height: number };

describe('a picture', () => {
  it.each(oddPictures)(
    '%s has thumbnails, or says why not',
    async (what, type, make, becomes) => {
      const { json } = await uploader.upload(what, await make(), { type, name: what });
      expect(json.state, JSON.stringify(json)).toBe('succeeded');
      const { thumbnails, failures } = json.result as { thumbnails: Small[]; failures: { detail: string }[] };
      if (becomes instanceof RegExp) {
        expect([thumbnails, failures.length]).toEqual([[], 1]);
        expect(failures[0]?.detail).toMatch(becomes);
        return;
      }
      expect(failures).toEqual([]);
      expect(thumbnails).toHaveLength(3);
      const { key = '', width, height } = thumbnails.at(-1) ?? {};
      expect([width, height]).toEqual(becomes);
      const found = await sharp(await uploader.bytes(key)).metadata();
      expect([found.format, found.width, found.height, found.space]).toEqual(['webp', ...becomes, 'srgb']);
    },
    90_000,
  );

  it.each([
    ['heic', 'image/heic'],
    ['bmp', 'image/bmp'],
  ] as const)('for which there is no decoder says so: %s', async (file, type) => {
    const { json } = await uploader.upload(`no decoder ${file}`, typeFiles[file], { type });
    expect(json.result.failures).toMatchObject([{ step: 'thumbnails', code: 'content-undecodable' }]);
    expect(json.result.failures[0].detail).toContain(`no decoder for ${type}`);
  });

  it('whose decoder is killed before, during or after its work has its thumbnails once', async () => {
    const small = async (key: string) =>
      (await uploader.upload(key, typeFiles.png, { type: 'image/png', dedup: 'intent' })).json;
    await small('first');
    const [idle] = await decoders();
    process.kill(idle ?? expect.unreachable(), 'SIGKILL');
    expect((await small('before')).result.thumbnails).toHaveLength(3);
    // It takes some seconds, since it is turned.
    const large = await sharp({ create: { width: 10_900, height: 11_000, channels: 4, background: 'red' } })
      .withMetadata({ orientation: 6 })
      .png()
      .toBuffer();
    const announced = await uploader.announce('during', large, { type: 'image/png', dedup: 'intent' });
    await uploader.send(announced.json, large);
    const busy = await world.until('a decoder works', async () => {
      const [one] = await decoders();
      return one !== undefined && (await secondsOf(one)) > 0.7 ? one : undefined;
    });
    process.kill(busy, 'SIGKILL');
    const { json } = await uploader.settled(announced.json.id);
    expect([json.result.thumbnails.length, json.result.failures]).toEqual([3, []]);
    const [content = ''] = (await uploader.rows(json.id)).content;
    expect(await uploader.thumbnails(content)).toHaveLength(3);
    expect(await decoders()).not.toContain(busy);
  }, 120_000);
});

/** The processes that the media worker has started. */
async function decoders(): Promise<readonly number[]> {
  const media = world.running('workers/media.ts').map(({ pid }) => pid);
  const children = media.map((pid) => readFile(`/proc/${pid}/task/${pid}/children`, 'utf8'));
  return (await Promise.all(children)).flatMap((line) => line.trim().split(' ').filter(Boolean).map(Number));
}

/** CPU time of a process; none of one that has gone meanwhile. */
async function secondsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return 0;
  const fields = stat.split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
