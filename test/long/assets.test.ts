import { expect, inject, test } from 'vitest';
import { raceForTheLast } from '../support/asset-races.ts';
import { eachAtOnce } from '../support/each-at-once.ts';
import { picture } from '../support/upload-lane.ts';
import { Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';

test('500 times the last file of a content goes while the same content comes again', async () => {
  await inWorld(async (uploader) => await raceForTheLast(uploader, 500, 'brief'));
});

test('1,000 uploads of one picture by 8 clients keep one object and one set of thumbnails', async () => {
  await inWorld(async (uploader) => {
    const bytes = await picture();
    const ids: string[] = [];
    await eachAtOnce(8, [...Array(1_000).keys()], async (n) => {
      const { json } = await uploader.upload(`same ${n}`, bytes, { type: 'image/png' });
      expect([json.state, json.result.thumbnails.length]).toEqual(['succeeded', 3]);
      ids.push(json.id as string);
    });
    const { content, assets } = await uploader.rows(...ids);
    expect([content.length, assets]).toEqual([1, 1_000]);
    const objects = await Promise.all(ids.map((id) => uploader.objects(id)));
    expect(objects.flat()).toHaveLength(1);
    expect(await uploader.thumbnails(content[0] ?? '')).toHaveLength(3);
  });
});

async function inWorld(work: (uploader: Uploader) => Promise<void>): Promise<void> {
  const declared = { destinations: [{ name: 'brief', restorableDays: 0 }] };
  const world = await World.create(inject('ground'), {
    ...{ media: true, upkeep: false },
    env: { HAPAX_DESTINATIONS: JSON.stringify(declared), HAPAX_NEW_PER_MINUTE: '6000' },
  });
  const uploader = await Uploader.of(world);
  try {
    await work(uploader);
  } finally {
    await uploader.close();
    await world.close();
  }
}
