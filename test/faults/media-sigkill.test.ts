import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { placedOnce } from '../support/one-upload.ts';
import { fastest, recoveriesAt, recoveryWithin } from '../support/recovery.ts';
import { picture, UploadLane } from '../support/upload-lane.ts';
import { Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';

/** Where the media worker dies, and how many thumbnails lie in the store then. */
const points: Readonly<Record<string, { readonly point: readonly string[]; readonly written: number }>> = {
  'before it looks for thumbnails': { point: ['HeadObject:before-effect'], written: 0 },
  'when it has the picture': { point: ['GetObject:after-effect'], written: 0 },
  'before its first write': { point: ['PutObject:before-effect'], written: 0 },
  'after its first write': { point: ['PutObject:after-effect'], written: 1 },
  'before its last write': { point: ['PutObject:before-effect', '3'], written: 2 },
  'after its last write': { point: ['PutObject:after-effect', '3'], written: 3 },
};

describe('a media worker that dies with SIGKILL', () => {
  let world: World;
  let uploader: Uploader;
  let died: ReadonlyMap<string, readonly { lane: UploadLane; left: readonly string[]; state: string; took: number }[]>;

  beforeAll(async () => {
    world = await World.create(inject('ground'), { workers: 0, doors: 0, upkeep: false });
    uploader = await Uploader.of(world);
    died = await recoveriesAt(Object.keys(points), (when, nth) =>
      dieAt(`${when}, try ${nth}`, points[when]?.point ?? expect.unreachable()),
    );
    const took = [...died].map(([when, all]) => `${when} ${fastest(all)}`);
    console.log(`Recovery from SIGKILL of the media worker, ms: ${took.join(', ')}`);
  }, 420_000);
  afterAll(async () => {
    await uploader.close();
    await world.close();
  });

  /** An upload whose first media worker dies, and which another one, started after that, goes on with. */
  async function dieAt(when: string, point: readonly string[]) {
    const lane = await UploadLane.open(uploader, when, await picture());
    try {
      await lane.healthy();
      const victim = await lane.faulty('media', ...point);
      await lane.send();
      await victim.gone();
      const at = Date.now();
      const left = await uploader.thumbnails(lane.id.replace('op_', 'cnt_'));
      const state = await world.state(lane.id);
      await lane.media();
      await uploader.ended(lane.id);
      return { lane, left, state, took: Date.now() - at };
    } finally {
      await lane.close();
    }
  }

  it.each(Object.entries(points))('%s is replaced: three thumbnails, once', async (when, { written }) => {
    const all = died.get(when) ?? expect.unreachable();
    for (const { lane, left, state } of all) {
      expect([left.length, state]).toEqual([written, 'running']);
      await placedOnce(uploader, lane.id, lane.bytes, { thumbnails: 3 });
      const steps = await world.sql('select distinct state from hapax.step where operation_id = $1', lane.id);
      expect(steps).toEqual([{ state: 'done' }]);
    }
    expect(fastest(all)).toBeLessThanOrEqual(recoveryWithin);
  });
});
