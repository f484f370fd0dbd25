import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { expect, inject, it } from 'vitest';
import { workflowId } from '../../workflows/operation/key.ts';
import { heartbeat } from '../../workflows/operation/budget.ts';
import { checkoutScope } from '../support/lane.ts';
import { Uploader } from '../support/uploader.ts';
import { watchedObjects } from '../support/boundaries/watched-objects.ts';
import { workerHere } from '../support/worker-here.ts';
import { World } from '../support/world.ts';

it('a worker whose store takes long says twice a second that it lives, and is not taken for dead', async () => {
  const world = await World.create(inject('ground'), { workers: 0, media: true, upkeep: false });
  const uploader = await Uploader.of(world);
  const temporal = await Connection.connect({ address: world.env.TEMPORAL_ADDRESS as string });
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const worker = await workerHere(world.env, (own) => ({
    ...own,
    objects: watchedObjects(own.objects, async (point) => {
      if (point === 'HeadObject:before-effect') await released;
    }),
  }));
  try {
    const bytes = randomBytes(3_000);
    const announced = await uploader.announced('slow', bytes);
    await uploader.send(announced, bytes);
    const workflow = new Client({ connection: temporal }).workflow.getHandle(
      workflowId({ ...checkoutScope(world, 'slow'), flow: 'upload' }, 1),
    );
    const pending = async () => (await workflow.describe()).raw.pendingActivities?.[0];
    await world.until('it has said so once', async () => (await pending())?.lastHeartbeatTime);
    const listened = async () => {
      const [beats, attempts] = [new Set<string>(), new Set<unknown>()];
      let stoodStill = 0;
      const end = Date.now() + heartbeat * 8;
      while (Date.now() < end) {
        const at = Date.now();
        const now = await pending();
        attempts.add(now?.attempt);
        beats.add(JSON.stringify(now?.lastHeartbeatTime));
        await pause(50);
        stoodStill = Math.max(stoodStill, Date.now() - at);
      }
      return { beats: beats.size, attempts: attempts.size, stoodStill };
    };
    let heard = await listened();
    // A machine that stands still keeps the worker, which is in this process, from saying anything.
    for (let n = 0; heard.stoodStill > heartbeat && n < 10; n += 1) heard = await listened();
    // Eight, where none is late; the SDK by itself would let three or four through.
    expect(heard.beats).toBeGreaterThanOrEqual(6);
    expect(heard.attempts).toBe(1);
    release();
    await uploader.ended(announced.id);
    expect(await world.state(announced.id)).toBe('succeeded');
  } finally {
    release();
    await worker.stop();
    await temporal.close();
    await uploader.close();
    await world.close();
  }
}, 120_000);
