import { randomBytes } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { workflowId } from '../../workflows/operation/key.ts';
import { checkoutScope } from '../support/lane.ts';
import { Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';

describe('an upload that waits for its bytes', () => {
  let world: World;
  let uploader: Uploader;
  let temporal: Connection;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { media: true });
    uploader = await Uploader.of(world);
    temporal = await Connection.connect({ address: world.env.TEMPORAL_ADDRESS as string });
  });
  afterAll(async () => {
    await temporal.close();
    await uploader.close();
    await world.close();
  });

  const workflow = (key: string) =>
    new Client({ connection: temporal }).workflow.getHandle(
      workflowId({ ...checkoutScope(world, key), flow: 'upload' }, 1),
    );
  const eventsOf = async (key: string) => (await workflow(key).fetchHistory()).events?.length;
  /** The door answers once the claim stands; Temporal may hear of it a moment later. */
  const stepOf = async (key: string) =>
    (
      await workflow(key)
        .describe()
        .catch(() => undefined)
    )?.searchAttributes.HapaxStep;

  it('is left asleep by upkeep, however often it looks', async () => {
    const { id } = await uploader.announced('asleep', randomBytes(10));
    await world.until('it sleeps', async () => (await stepOf('asleep'))?.[0] === 'receive');
    const before = await eventsOf('asleep');
    for (let n = 0; n < 3; n += 1) {
      const looks = async () => (await world.sql('select looks from hapax.operation where id = $1', id))[0]?.looks;
      const seen = await looks();
      await world.sql('update hapax.operation set next_look_at = now() where id = $1', id);
      await world.until('upkeep has looked', async () => (await looks()) !== seen);
    }
    // A wake would have arrived by now: the news of another upload does.
    const bytes = randomBytes(10);
    await uploader.upload('awake', bytes);
    expect(await eventsOf('asleep')).toBe(before);
  });

  it('is found in Temporal by the step that waits, and not any more when it has ended', async () => {
    const bytes = randomBytes(10);
    const announced = await uploader.announced('found', bytes);
    await world.until('it sleeps', async () => (await stepOf('found'))?.[0] === 'receive');
    await uploader.send(announced, bytes);
    await uploader.ended(announced.id);
    // The ledger knows the end before Temporal does.
    await workflow('found').result();
    expect(await stepOf('found')).toBeUndefined();
  });
});
