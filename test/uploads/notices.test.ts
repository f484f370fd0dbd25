import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { readConfig } from '../../workers/config.ts';
import { findVersitygw } from '../../workers/local/find-versitygw.ts';
import { freePorts } from '../../workers/local/free-port.ts';
import { type LocalS3, startS3 } from '../../workers/local/s3.ts';
import { relayNotices } from '../../workers/local/s3-notices.ts';
import { FaultyLine } from '../support/faulty-line.ts';
import { placedOnce } from '../support/one-upload.ts';
import { type Announced, sha256, Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';

const secret = randomBytes(16).toString('hex');

let s3: LocalS3;
let front: FaultyLine;
let world: World;
let uploader: Uploader;
beforeAll(async () => {
  const ground = inject('ground');
  const settings = readConfig(['VERSITYGW', 'PATH', 'HAPAX_STATE_DIRECTORY']);
  const cache = join(settings.HAPAX_STATE_DIRECTORY, 'cache', 'bin');
  const binary = await findVersitygw({ chosen: settings.VERSITYGW, path: settings.PATH, cache, say: () => undefined });
  front = await FaultyLine.to('http://127.0.0.1:1');
  const [port = 0] = await freePorts(1);
  const directory = join(ground.root, `notices-${port}`);
  const notices = await relayNotices(front.url.replace(/\/$/, ''), secret);
  s3 = await startS3({ binary, directory, port, logFile: `${directory}.log`, notices });
  world = await World.create(ground, {
    doors: 2,
    media: true,
    env: {
      S3_ENDPOINT: s3.endpoint,
      S3_BUCKET: s3.bucket,
      S3_ACCESS_KEY_ID: s3.accessKeyId,
      S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
      HAPAX_S3_WEBHOOK_SECRET: secret,
    },
  });
  uploader = await Uploader.of(world);
  front.turnTo(world.doors[0]?.address ?? expect.unreachable());
});
afterAll(async () => {
  await uploader.close();
  await world.close();
  await front.close();
  await s3.stop();
});

async function sent(key: string, bytes: Buffer): Promise<Announced> {
  const announced = await uploader.announced(key, bytes, { transfer: 'presigned', sha256: sha256(bytes) });
  expect((await uploader.send(announced, bytes)).status).toBe(200);
  return announced;
}

const event = (key: string, eventName = 's3:ObjectCreated:Put', bucket = 'hapax') => ({
  Records: [
    { eventName, eventTime: new Date().toISOString(), s3: { bucket: { name: bucket }, object: { key, size: 1 } } },
  ],
});
const notify = async (body: unknown, headers: Record<string, string> = {}, query = '', door = 0) =>
  await world.ask('POST', `/v1/webhooks/s3${query}`, {
    ...{ token: null, body, headers: { authorization: `Bearer ${secret}`, ...headers }, door },
  });

describe('a notification of the store', () => {
  it('ends an upload whose caller has sent its bytes and never came back', async () => {
    const bytes = randomBytes(5_000);
    const { id } = await sent('never came back', bytes);
    await uploader.ended(id);
    await placedOnce(uploader, id, bytes);
  });

  it('that comes often, late, and beside the caller’s own word ends it once', async () => {
    const bytes = randomBytes(5_000);
    const announced = await sent('often', bytes);
    const key = `uploads/${announced.id}/presigned`;
    const told = await Promise.all(
      Array.from({ length: 30 }, async (_, n) =>
        n % 3 === 0 ? await uploader.complete(announced.id, { door: n % 2 }) : await notify(event(key), {}, '', n % 2),
      ),
    );
    expect(new Set(told.map(({ status }) => status))).toEqual(new Set([200]));
    await uploader.ended(announced.id);
    await placedOnce(uploader, announced.id, bytes);
    expect((await notify(event(key))).json).toEqual({ records: 1, completed: 1 });
    await placedOnce(uploader, announced.id, bytes);
  });

  it('is taken from who knows the secret, and tells nobody anything', async () => {
    const announced = await uploader.announced('secret', randomBytes(10), {
      transfer: 'presigned',
      sha256: sha256(randomBytes(1)),
    });
    const key = `uploads/${announced.id}/presigned`;
    for (const headers of [
      { authorization: '' },
      { authorization: 'Bearer local-alpha' },
      { authorization: `Basic ${secret}` },
    ])
      expect((await notify(event(key), headers)).status).toBe(401);
    expect((await notify(event(key), { authorization: '' }, '?secret=wrong')).status).toBe(401);
    expect((await notify(event(key), { authorization: '' }, `?secret=${secret}`)).status).toBe(200);
  });

  it.each<[string, unknown]>([
    ['of another bucket', event('uploads/op_00000000000000000000000000/presigned', 's3:ObjectCreated:Put', 'other')],
    ['of a deletion', event('uploads/op_00000000000000000000000000/presigned', 's3:ObjectRemoved:Delete')],
    ['of an upload that there is not', event('uploads/op_00000000000000000000000000/presigned')],
    ['of somebody else’s object', event('pictures/%zz/../cat.png')],
    ['without records', { Service: 'Amazon S3', Event: 's3:TestEvent' }],
  ])('%s is taken note of, and does nothing', async (_what, body) => {
    const { status, json } = await notify(body);
    expect([status, json.completed]).toEqual([200, 0]);
  });

  it('that is none is refused', async () => {
    for (const body of ['{', '{"Records":[{}]}', '{"Records":7}', 'null'])
      expect((await notify(body)).status).toBe(400);
  });
});
