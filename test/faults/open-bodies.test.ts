import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Announced, Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';

const size = 100_000;

describe('bodies that come slowly', () => {
  let world: World;
  let uploader: Uploader;
  const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });
  const slow: ClientRequest[] = [];
  beforeAll(async () => {
    world = await World.create(inject('ground'), { upkeep: false, media: true });
    uploader = await Uploader.of(world);
  });
  afterAll(async () => {
    await uploader.close();
    await world.close();
  });

  /** Sends most of the bytes, and then nothing. */
  function begin({ transfer }: Announced): ClientRequest {
    const headers = { authorization: 'Bearer local-alpha', 'content-length': size };
    const put = request(transfer.url, { method: 'PUT', agent, headers });
    put.on('error', () => undefined);
    put.write(Buffer.alloc(size / 2));
    slow.push(put);
    return put;
  }

  it('hold places of their own upload, and no more than fifty of them', async () => {
    const announced = await uploader.announced('crowded', randomBytes(size));
    // None of them ends by itself: whichever comes last is the first to be answered.
    const all = Array.from({ length: 51 }, () => once(begin(announced), 'response') as Promise<[IncomingMessage]>);
    const [beyond] = await Promise.race(all);
    expect([beyond.statusCode, beyond.headers['retry-after']]).toEqual([429, '1']);
    for (const put of slow) put.destroy();
    await Promise.allSettled(all);
    // Their places are free again.
    const bytes = randomBytes(size);
    await world.until('the upload takes its bytes', async () => (await uploader.send(announced, bytes)).status === 200);
  });

  it('leave room for everybody else', async () => {
    const many = Array.from({ length: 80 }, (_, n) => uploader.announced(`slow-${n}`, Buffer.alloc(size)));
    for (const announced of await Promise.all(many)) begin(announced);
    const other = { token: 'local-beta' };
    const bytes = randomBytes(1_000);
    const announced = await uploader.announced('quick', bytes, {}, other);
    await world.until('it is taken', async () => (await uploader.send(announced, bytes, other)).status === 200);
    for (const put of slow) put.destroy();
  });
});
