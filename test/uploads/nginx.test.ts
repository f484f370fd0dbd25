import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Nginx, nginxBinary, type NginxHabit } from '../support/nginx.ts';
import { placedOnce } from '../support/one-upload.ts';
import { Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';
import { TusCaller } from './tus-caller.ts';

const MiB = 1024 ** 2;

describe.skipIf(nginxBinary === undefined)('behind nginx,', () => {
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

  it.each<NginxHabit>([
    { upstream: 'stock', buffersRequests: true },
    { upstream: 'stock', buffersRequests: false },
    { upstream: 'keep-alive', buffersRequests: false },
  ])(
    'as $upstream, buffering: $buffersRequests, an upload by tus and one by the draft of the IETF are whole, once',
    async (habit) => {
      const nginx = await Nginx.to(world.doors[0]?.address ?? expect.unreachable(), habit, world.directory);
      try {
        const name = `${habit.upstream} ${habit.buffersRequests}`;
        const bytes = randomBytes(12 * MiB);
        const tus = new TusCaller(world);
        const length = { 'upload-length': `${bytes.length}` };
        const key = { 'idempotency-key': `nginx ${name}` };
        const created = await tus.ask('POST', `${nginx.url}/v1/tus`, { ...length, ...key });
        expect(created.status, created.text).toBe(201);
        const { id } = TusCaller.uploadOf(created);
        const path = `${nginx.url}/v1/tus/${id}`;
        for (const [from, to] of [
          [0, 5 * MiB],
          [5 * MiB, bytes.length],
        ] as const) {
          const sent = await tus.patch({ id, path }, from, bytes.subarray(from, to));
          expect([sent.status, sent.headers.get('upload-offset')], sent.text).toEqual([204, `${to}`]);
        }
        await uploader.ended(id);
        await placedOnce(uploader, id, bytes);

        const other = randomBytes(2 * MiB);
        const sent = await world.ask('POST', `${nginx.url}/v1/resumable`, {
          key: `nginx ietf ${name}`,
          body: other,
          headers: {
            'content-type': 'application/octet-stream',
            'upload-complete': '?1',
            'upload-draft-interop-version': '8',
          },
        });
        expect([sent.status, sent.headers.get('upload-complete')], sent.text).toEqual([200, '?1']);
        await uploader.ended(sent.json.id);
        await placedOnce(uploader, sent.json.id, other);
      } finally {
        await nginx.close();
      }
    },
  );
});
