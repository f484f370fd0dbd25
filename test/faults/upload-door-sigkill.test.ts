import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { FaultyS3 } from '../support/faulty-s3.ts';
import { placedOnce, waitsForBytes } from '../support/one-upload.ts';
import { type Announced, Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';

describe.concurrent('a door that dies with SIGKILL', () => {
  let world: World;
  let uploader: Uploader;
  let s3: FaultyS3;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { media: true });
    uploader = await Uploader.of(world);
    s3 = await FaultyS3.to(world.env.S3_ENDPOINT as string);
  });
  afterAll(async () => {
    await uploader.close();
    await world.close();
    await s3.close();
  });

  const door = (env = {}) => world.start('workers/http.ts', { S3_ENDPOINT: s3.url, ...env });
  const at = (address: string, { id, transfer }: Announced): Announced['transfer'] => ({
    ...transfer,
    url: `${address}/v1/uploads/${id}/content`,
  });
  const decided = (id: string) => world.sql('select outcome from hapax.transfer where operation_id = $1', id);

  /** Asks the other door, as a caller does who has lost its own. */
  async function askAgain(key: string, { id }: Announced, bytes: Buffer): Promise<void> {
    const announced = await uploader.announced(key, bytes);
    expect(announced.id).toBe(id);
    // A door on a busy machine may find its store away for a second.
    await world.until('its bytes are taken', async () => (await uploader.send(announced, bytes)).status === 200);
    await uploader.ended(id);
    await placedOnce(uploader, id, bytes);
  }

  it('between its write in the object store and its row leaves an object that the upload clears away', async () => {
    const victim = await door();
    const key = 'between';
    const bytes = randomBytes(100_000);
    const announced = await uploader.announced(key, bytes);
    // The look behind it too: on a busy machine a door that gives a write up after a second finds its object there, and says so.
    const held = s3.fail('answer-held', ['PutObject', 'HeadObject'], announced.id);
    const written = world.until('the object is written', () => Promise.resolve(held.done > 0), 40_000);
    const send = () =>
      uploader.send({ ...announced, transfer: at(victim.address, announced) }, bytes).then(
        ({ status }) => status,
        () => 'lost',
      );
    let sending = send();
    // On a busy machine a door that has just started may find its store away for a second, says so, and is asked again.
    while ((await Promise.race([sending, written])) === 503) sending = send();
    const [stray = '', ...more] = await uploader.objects(announced.id);
    expect([stray, more]).toEqual([expect.any(String), []]);
    await victim.kill();
    expect(await sending).toBe('lost');
    held.end();
    expect(await decided(announced.id)).toEqual([]);
    await waitsForBytes(uploader, announced.id);
    await askAgain(key, announced, bytes);
    expect(await uploader.objects(announced.id)).not.toContain(stray);
  });

  it('in the middle of the bytes leaves none of them', async () => {
    const victim = await door();
    const key = 'middle';
    const bytes = randomBytes(400_000);
    const announced = await uploader.announced(key, bytes);
    const { url, headers } = at(victim.address, announced);
    const begun = s3.fail({ delayedBy: 0 }, ['PutObject'], announced.id);
    const sending = request(url, {
      method: 'PUT',
      headers: { ...headers, authorization: 'Bearer local-alpha', 'content-length': bytes.length },
    });
    const cut = new Promise<Error>((resolve) => sending.once('error', resolve));
    sending.write(bytes.subarray(0, bytes.length / 2));
    await world.until('the store is written to', async () => begun.met > 0);
    await victim.kill();
    await cut;
    expect(await decided(announced.id)).toEqual([]);
    await askAgain(key, announced, bytes);
  });

  it('between its row and its signal is not missed: the upload goes on by itself', async () => {
    // Nothing listens there: what this door would tell Temporal is never told.
    const victim = await door({ TEMPORAL_ADDRESS: '127.0.0.1:1' });
    const bytes = randomBytes(100_000);
    const announced = await uploader.announced('untold', bytes);
    await waitsForBytes(uploader, announced.id);
    await world.until('its bytes are taken', async () => {
      const { status } = await uploader.send({ ...announced, transfer: at(victim.address, announced) }, bytes);
      return status === 200;
    });
    await victim.kill();
    expect(await decided(announced.id)).toEqual([{ outcome: 'received' }]);
    await uploader.ended(announced.id);
    await placedOnce(uploader, announced.id, bytes);
    expect((await uploader.send(announced, bytes)).status).toBe(200);
    await placedOnce(uploader, announced.id, bytes);
  });
});
