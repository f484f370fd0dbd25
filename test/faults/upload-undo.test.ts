import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it, type TestContext } from 'vitest';
import { FaultyS3 } from '../support/faulty-s3.ts';
import { nothingLeft, placedOnce } from '../support/one-upload.ts';
import { picture, UploadLane } from '../support/upload-lane.ts';
import { Uploader } from '../support/uploader.ts';
import { workerHere } from '../support/worker-here.ts';
import { World } from '../support/world.ts';

describe.concurrent('an upload that was placed and is cancelled', () => {
  let world: World;
  let uploader: Uploader;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { workers: 0, doors: 0, upkeep: false });
    uploader = await Uploader.of(world);
    // The first worker of a process sets the runtime that all others share.
    await (await workerHere({ ...world.env, HAPAX_TASK_QUEUE: 'none' })).stop();
  });
  afterAll(async () => {
    await uploader.close();
    await world.close();
  });

  async function opened({ onTestFinished }: TestContext, name: string, bytes: Buffer, env = {}): Promise<UploadLane> {
    const lane = await UploadLane.open(uploader, name, bytes, env);
    onTestFinished(() => lane.close());
    return lane;
  }

  /** It has its place, its worker is to die in its undo, and does. */
  async function dieInUndo(lane: UploadLane, point: string): Promise<void> {
    const victim = await lane.faulty('upload', point);
    await lane.send();
    await lane.placed();
    expect(await uploader.rows(lane.id)).toMatchObject({ content: [expect.any(String)], assets: 1 });
    expect(await lane.cancel()).toBe('requested');
    await victim.gone();
    expect(await world.state(lane.id)).toBe('compensating');
  }

  it.for([
    'compensate:after-record',
    ...['before-effect', 'after-effect', 'after-record'].map((boundary) => `finalize.undo:${boundary}`),
    ...['DeleteObject:before-effect', 'DeleteObject:after-effect', 'settle:before-record'],
  ])('leaves nothing, though its worker dies with SIGKILL at %s', async (point, context) => {
    const lane = await opened(context, point, await picture());
    await dieInUndo(lane, point);
    await lane.healthy();
    await uploader.ended(lane.id);
    expect(await world.state(lane.id)).toBe('cancelled');
    await nothingLeft(uploader, lane.id);
  });

  it('when its thumbnails are made leaves none of them', async (context) => {
    const lane = await opened(context, 'thumbnails', await picture());
    await lane.media();
    const victim = await lane.faulty('upload', 'publish:before-effect');
    await lane.send();
    await victim.gone();
    expect(await uploader.thumbnails(lane.id.replace('op_', 'cnt_'))).toHaveLength(3);
    expect(await lane.cancel()).toBe('requested');
    await lane.healthy();
    await uploader.ended(lane.id);
    expect(await world.state(lane.id)).toBe('cancelled');
    await nothingLeft(uploader, lane.id);
  });

  it('leaves its bytes to another upload that refers to them, though its worker dies in between', async (context) => {
    const bytes = await picture();
    const first = await opened(context, 'first', bytes);
    const second = await opened(context, 'second', bytes);
    await second.healthy();
    const victim = await first.faulty('upload', 'finalize.undo:after-effect');
    await first.send();
    await first.placed();
    await second.send();
    await second.placed();
    const both = await uploader.rows(first.id, second.id);
    expect(both).toEqual({ content: [first.id.replace('op_', 'cnt_')], assets: 2 });
    await first.cancel();
    await victim.gone();
    await first.healthy();
    await uploader.ended(first.id);
    expect(await world.state(first.id)).toBe('cancelled');
    expect(await uploader.rows(first.id, second.id)).toEqual({ ...both, assets: 1 });
    await second.media();
    await uploader.ended(second.id);
    expect(await uploader.objects(second.id)).toEqual([]);
    await placedOnce(uploader, second.id, bytes, { holder: first.id, thumbnails: 3 });
    // Its content was given up by one of two, and is there for a third.
    const third = await opened(context, 'third', bytes);
    await Promise.all([third.healthy(), third.media()]);
    await third.send();
    await uploader.ended(third.id);
    await placedOnce(uploader, third.id, bytes, { holder: first.id, thumbnails: 3 });
  });

  it('makes room for the same bytes while its own are being deleted', async (context) => {
    const bytes = await picture();
    const first = await opened(context, 'leaving', bytes);
    await dieInUndo(first, 'finalize.undo:after-record');
    const second = await opened(context, 'coming', bytes);
    await Promise.all([second.healthy(), second.media()]);
    await second.send();
    await uploader.ended(second.id);
    await first.healthy();
    await uploader.ended(first.id);
    await nothingLeft(uploader, first.id);
    await placedOnce(uploader, second.id, bytes, { thumbnails: 3 });
  });

  it('while the object store is away gives its place up, and its bytes once the store is back', async (context) => {
    const s3 = await FaultyS3.to(world.env.S3_ENDPOINT as string);
    context.onTestFinished(() => s3.close());
    const lane = await opened(context, `away-${randomBytes(2).toString('hex')}`, await picture(), {
      S3_ENDPOINT: s3.url,
    });
    const outage = s3.fail('refused', ['ListObjectsV2', 'DeleteObject'], lane.id);
    await lane.healthy();
    await lane.send();
    await world.until('the outage is met', async () => outage.met > 0);
    expect(await lane.cancel()).toBe('requested');
    await world.until('the asset is gone', async () => (await uploader.rows(lane.id)).assets === 0);
    const content = await world.sql('select state from hapax.content where collected_by = $1', lane.id);
    expect(content).toEqual([{ state: 'deleting' }]);
    expect(await uploader.objects(lane.id)).toHaveLength(1);
    expect(await world.state(lane.id)).toBe('compensating');
    outage.end();
    await uploader.ended(lane.id);
    expect(await world.state(lane.id)).toBe('cancelled');
    await nothingLeft(uploader, lane.id);
  });
});
