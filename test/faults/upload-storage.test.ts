import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { json } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { FaultyS3, type S3Call, type S3Fault, type S3Outage } from '../support/faulty-s3.ts';
import { leaveStray, placedOnce, waitsForBytes } from '../support/one-upload.ts';
import { picture } from '../support/upload-lane.ts';
import { type Announced, sha256, Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';

/** Longer than any pause between tries that a step makes in its first seconds. Milliseconds. */
const outageLength = 10_000;
/** A silence of the store or of a caller that a short call to the store would not survive (5 s). Milliseconds. */
const longSilence = 7_000;
/** Nobody waits for a silence of 30 s to end, which a busy machine does not take. Milliseconds. */
const promptly = 25_000;
/** A store that swallows bytes has failed after 30 s, and two questions to it after 5 s each. Milliseconds. */
const silentStore = 90_000;

describe.concurrent('an upload whose object store', { timeout: 150_000 }, () => {
  let world: World;
  let uploader: Uploader;
  let s3: FaultyS3;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { workers: 0, doors: 0 });
    s3 = await FaultyS3.to(world.env.S3_ENDPOINT as string);
    const start = (script: string) => world.start(script, { S3_ENDPOINT: s3.url });
    const [door] = await Promise.all(['workers/http.ts', 'workers/operations.ts', 'workers/media.ts'].map(start));
    world.doors.push(door ?? expect.unreachable());
    // Looks past what fails.
    uploader = await Uploader.of(world);
  });
  afterAll(async () => {
    await uploader.close();
    await world.close();
    await s3.close();
  });

  const away = { status: 503, json: { code: 'storage-unavailable', retryable: true, sameKeySafe: true } };

  async function sentAgain(key: string, { id }: Announced, bytes: Buffer): Promise<void> {
    const announced = await uploader.announced(key, bytes);
    expect(announced.id).toBe(id);
    // A door on a busy machine may find its store away for a second.
    await world.until('its bytes are taken', async () => (await uploader.send(announced, bytes)).status === 200);
    await uploader.ended(id);
    await placedOnce(uploader, id, bytes);
  }

  it.each<{ says: string; fault: S3Fault; calls: readonly S3Call[] }>([
    { says: 'refuses', fault: 'refused', calls: ['PutObject', 'HeadObject', 'DeleteObject'] },
    { says: 'resets', fault: 'reset', calls: ['PutObject', 'HeadObject', 'DeleteObject'] },
    { says: 'swallows', fault: 'swallowed', calls: ['PutObject', 'HeadObject', 'DeleteObject'] },
    { says: 'leaves in the middle of', fault: { cutAfter: 100_000 }, calls: ['PutObject'] },
  ])(
    '$says the bytes is asked for again with the same key, and has them once',
    { timeout: silentStore },
    async ({ says, fault, calls }) => {
      const key = `away-${says.replaceAll(' ', '-')}`;
      const bytes = randomBytes(300_000);
      const announced = await uploader.announced(key, bytes);
      const outage = s3.fail(fault, calls, announced.id);
      const refused = await uploader.send(announced, bytes);
      expect(refused).toMatchObject(away);
      expect(refused.headers.get('retry-after')).toBe('2');
      expect(outage.met).toBeGreaterThan(0);
      await waitsForBytes(uploader, announced.id);
      expect(await world.sql('select from hapax.transfer where operation_id = $1', announced.id)).toEqual([]);
      expect(await uploader.objects(announced.id)).toEqual([]);
      outage.end();
      await sentAgain(key, announced, bytes);
    },
  );

  it('refuses bytes that are still on their way tells so, and what its caller asks next is answered', async () => {
    const bytes = randomBytes(300_000);
    const announced = await uploader.announced('half-sent', bytes);
    const outage = s3.fail('refused', ['PutObject'], announced.id);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const headers = { authorization: 'Bearer local-alpha' };
    const put = request(announced.transfer.url, {
      method: 'PUT',
      agent,
      headers: { ...headers, 'content-type': 'application/octet-stream', 'content-length': bytes.length },
    });
    put.write(bytes.subarray(0, 100_000));
    const [refused] = (await once(put, 'response')) as [IncomingMessage];
    expect(refused.statusCode).toBe(503);
    refused.resume();
    put.end(bytes.subarray(100_000));
    await once(refused, 'end');
    const look = request(`${world.doors[0]?.address}/v1/operations/${announced.id}`, { agent, headers });
    look.end();
    const [seen] = (await once(look, 'response', { signal: AbortSignal.timeout(promptly) })) as [IncomingMessage];
    expect(seen.statusCode).toBe(200);
    outage.end();
    agent.destroy();
  });

  it('is sent what a slow caller has sent, and does not wait in silence for the rest', async () => {
    const bytes = randomBytes(60_000);
    const announced = await uploader.announced('trickle', bytes);
    // The way breaks when the store has been sent this much: that is how the caller sees that it was.
    const outage = s3.fail({ cutAfter: 7_000 }, ['PutObject'], announced.id);
    const put = request(announced.transfer.url, {
      method: 'PUT',
      headers: { authorization: 'Bearer local-alpha', 'content-length': bytes.length },
    });
    put.write(bytes.subarray(0, 10_000));
    const [seen] = (await once(put, 'response', { signal: AbortSignal.timeout(promptly) })) as [IncomingMessage];
    expect(seen.statusCode).toBe(503);
    expect(outage.met).toBeGreaterThan(0);
    put.destroy();
    outage.end();
    await sentAgain('trickle', announced, bytes);
  });

  it.each(['answer-lost', 'answer-refused'] as const)('has its bytes once after an %s', async (fault) => {
    const bytes = randomBytes(300_000);
    const announced = await uploader.announced(fault, bytes);
    const outage = s3.fail(fault, ['PutObject'], announced.id, 1);
    expect((await uploader.send(announced, bytes)).status).toBe(200);
    expect(outage.done).toBe(1);
    await uploader.ended(announced.id);
    await placedOnce(uploader, announced.id, bytes);
  });

  it('takes the bytes, and is away before it says so, has them once when they are sent again', async () => {
    const key = 'lost-and-away';
    const bytes = randomBytes(300_000);
    const announced = await uploader.announced(key, bytes);
    s3.fail('answer-lost', ['PutObject'], announced.id, 1);
    const outage = s3.fail('refused', ['HeadObject', 'DeleteObject'], announced.id);
    expect(await uploader.send(announced, bytes)).toMatchObject(away);
    expect(await uploader.objects(announced.id)).toHaveLength(1);
    await waitsForBytes(uploader, announced.id);
    outage.end();
    await sentAgain(key, announced, bytes);
  });

  it('is away when a presigned transfer is completed is asked again', async () => {
    const bytes = randomBytes(1_000);
    const announced = await uploader.announced('complete', bytes, { transfer: 'presigned', sha256: sha256(bytes) });
    // Signed for the address that the door knows; the way there is well.
    expect((await uploader.send(announced, bytes)).status).toBe(200);
    const outage = s3.fail('refused', ['HeadObject'], announced.id);
    expect(await uploader.complete(announced.id)).toMatchObject(away);
    await waitsForBytes(uploader, announced.id);
    outage.end();
    expect((await uploader.complete(announced.id)).status).toBe(200);
    await uploader.ended(announced.id);
    await placedOnce(uploader, announced.id, bytes);
  });

  const waits: readonly { step: string; calls: readonly S3Call[] }[] = [
    { step: 'verify', calls: ['HeadObject'] },
    { step: 'tidy', calls: ['ListObjectsV2', 'DeleteObject'] },
    { step: 'thumbnails', calls: ['HeadObject', 'PutObject'] },
  ];
  it.each((['refused', 'swallowed'] as const).flatMap((fault) => waits.map((wait) => ({ ...wait, fault }))))(
    'is $fault for 10 s during $step is ready once it is back',
    async ({ step, fault, calls }) => {
      const bytes = await picture();
      const announced = await uploader.announced(`${step}-${fault}`, bytes, { type: 'image/png', dedup: 'intent' });
      const about = step === 'thumbnails' ? announced.id.replace('op_', 'cnt_') : announced.id;
      const outage = s3.fail(fault, calls, about);
      await leaveStray(uploader, announced.id);
      expect((await uploader.send(announced, bytes)).status).toBe(200);
      await afterOutage(outage);
      expect(await world.state(announced.id)).toBe('running');
      outage.end();
      await uploader.ended(announced.id);
      await placedOnce(uploader, announced.id, bytes, { thumbnails: 3 });
    },
  );

  it('answers late has the bytes once', async () => {
    const bytes = randomBytes(300_000);
    const announced = await uploader.announced('late', bytes);
    s3.fail({ delayedBy: longSilence }, ['PutObject'], announced.id);
    expect((await uploader.send(announced, bytes)).status).toBe(200);
    await uploader.ended(announced.id);
    await placedOnce(uploader, announced.id, bytes);
  });

  it('gets the bytes of a slow caller, with a long silence among them, has them once', async () => {
    const bytes = randomBytes(300_000);
    const announced = await uploader.announced('slow', bytes);
    expect(await sendSlowly(announced, bytes)).toBe(200);
    await uploader.ended(announced.id);
    await placedOnce(uploader, announced.id, bytes);
  });

  it('is not blamed for a caller that falls silent, who is told so', { timeout: silentStore }, async () => {
    const bytes = randomBytes(300_000);
    const announced = await uploader.announced('silent', bytes);
    const put = request(announced.transfer.url, {
      method: 'PUT',
      headers: { authorization: 'Bearer local-alpha', 'content-length': bytes.length },
    });
    put.on('error', () => undefined);
    put.write(bytes.subarray(0, 100_000));
    const [told] = (await once(put, 'response')) as [IncomingMessage];
    expect(told.statusCode).toBe(408);
    expect(told.headers).toMatchObject({
      connection: 'close',
      'content-type': 'application/problem+json; charset=utf-8',
    });
    expect(await json(told)).toMatchObject({ code: 'request-timeout', retryable: true, sameKeySafe: true });
    await waitsForBytes(uploader, announced.id);
    expect(await uploader.objects(announced.id)).toEqual([]);
    put.destroy();
    await sentAgain('silent', announced, bytes);
  });

  it('that waits in vain for the bytes of a slow caller is not called away either', {
    timeout: silentStore,
  }, async () => {
    const bytes = randomBytes(300_000);
    const announced = await uploader.announced('starving', bytes);
    // Ten bytes each second are less than the store is sent at once.
    const put = request(announced.transfer.url, {
      method: 'PUT',
      headers: { authorization: 'Bearer local-alpha', 'content-length': bytes.length },
    });
    put.on('error', () => undefined);
    const trickle = setInterval(() => put.write(bytes.subarray(0, 10)), 1_000);
    const [told] = (await once(put, 'response')) as [IncomingMessage];
    clearInterval(trickle);
    expect([told.statusCode, ((await json(told)) as { code: string }).code]).toEqual([408, 'request-timeout']);
    await waitsForBytes(uploader, announced.id);
    put.destroy();
  });

  it('has the bytes of a steady caller of 1 KB a second once, whatever time they take', {
    timeout: silentStore,
  }, async () => {
    const bytes = randomBytes(40_000);
    const announced = await uploader.announced('steady', bytes);
    async function* steady(): AsyncGenerator<Buffer> {
      for (let n = 0; n < 40; n += 1) {
        yield bytes.subarray(n * 1_000, (n + 1) * 1_000);
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
    }
    expect(await sendPieces(announced, bytes.length, steady())).toBe(200);
    await uploader.ended(announced.id);
    await placedOnce(uploader, announced.id, bytes);
  });

  it('that takes nothing more is not made up for by memory: its caller is kept waiting', {
    timeout: silentStore,
  }, async () => {
    const size = 100_000_000;
    const announced = await uploader.announced('no-memory', Buffer.alloc(0), { size });
    s3.fail('swallowed', ['PutObject'], announced.id);
    const put = request(announced.transfer.url, {
      method: 'PUT',
      headers: { authorization: 'Bearer local-alpha', 'content-length': size },
    });
    put.on('error', () => undefined);
    const answered = once(put, 'response') as Promise<[IncomingMessage]>;
    const [socket] = (await once(put, 'socket')) as [Socket];
    const pieces = Array.from({ length: 100 }, () => Buffer.alloc(size / 100));
    void pipeline(Readable.from(pieces), put).catch(() => undefined);
    const passed = () => socket.bytesWritten - socket.writableLength;
    await world.until('nothing more is taken', async () => {
      const before = passed();
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      return before > 0 && passed() === before;
    });
    // What the buffers of four sockets hold.
    expect(passed()).toBeLessThan(40_000_000);
    const [told] = await answered;
    expect(told.statusCode).toBe(503);
    put.destroy();
  });

  async function afterOutage(outage: S3Outage): Promise<void> {
    await world.until('the outage is met', async () => outage.met > 0, 30_000);
    await new Promise((resolve) => setTimeout(resolve, outageLength));
  }
});

/** Half of the bytes, a long silence, and the rest in small pieces. @returns the status */
async function sendSlowly({ transfer }: Announced, bytes: Buffer): Promise<number> {
  const pieces = 20;
  const half = bytes.length / 2;
  async function* slow(): AsyncGenerator<Buffer> {
    yield bytes.subarray(0, half);
    await new Promise((resolve) => setTimeout(resolve, longSilence));
    for (let n = 0; n < pieces; n += 1) {
      yield bytes.subarray(half + (n * half) / pieces, half + ((n + 1) * half) / pieces);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  return await sendPieces({ transfer }, bytes.length, slow());
}

/** @returns the status */
async function sendPieces(
  { transfer }: Pick<Announced, 'transfer'>,
  size: number,
  pieces: AsyncIterable<Buffer>,
): Promise<number> {
  const headers = { ...transfer.headers, authorization: 'Bearer local-alpha', 'content-length': size };
  const sending = request(transfer.url, { method: transfer.method, headers });
  const answered = new Promise<number>((resolve, reject) => {
    sending.on('response', (response) => resolve(response.resume().statusCode ?? 0));
    sending.on('error', reject);
  });
  const [status] = await Promise.all([answered, pipeline(Readable.from(pieces), sending)]);
  return status;
}
