import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connectGateway } from '../../client/gateway/connect.ts';
import { Uploads } from '../../client/uploads/uploads.ts';
import { operationId } from '../../workflows/operation/key.ts';
import { uploadFlow } from '../../workflows/upload.flow.ts';
import { readConfig } from '../../workers/config.ts';
import { mediaSettings, startMedia } from '../../workers/media.ts';
import { fastest, recoveriesAt, recoveryWithin } from '../support/recovery.ts';
import { sha256, Uploader } from '../support/uploader.ts';
import { whenLedgerIsThere } from '../support/when-ledger-is-there.ts';
import { workerHere } from '../support/worker-here.ts';
import { World } from '../support/world.ts';

const good = [
  'take:before-record',
  'take:after-record',
  ...['receive', 'finalize', 'publish'].flatMap((step) => [
    `${step}:before-effect`,
    `${step}:after-effect`,
    `${step}:after-record`,
  ]),
  ...['HeadObject', 'ListObjectsV2'].flatMap((call) => [`${call}:before-effect`, `${call}:after-effect`]),
  'verify:after-record',
];

const refused = [
  ...['DeleteObject:before-effect', 'DeleteObject:after-effect', 'receive.undo:after-record'],
  ...['compensate:before-record', 'compensate:after-record', 'settle:before-record', 'settle:after-record'],
];

describe('a worker that dies with SIGKILL in an upload', () => {
  let world: World;
  let uploader: Uploader;
  let died: ReadonlyMap<string, readonly { id: string; bytes: Buffer; took: number }[]>;

  beforeAll(async () => {
    world = await World.create(inject('ground'), { workers: 0, doors: 0, upkeep: false });
    uploader = await Uploader.of(world);
    // The first worker of a process sets the runtime that all others share.
    await (await workerHere({ ...world.env, HAPAX_TASK_QUEUE: 'none' })).stop();
    died = await recoveriesAt([...good, ...refused], (point, nth) => dieAt(point, refused.includes(point), nth));
    console.log(`Recovery from SIGKILL, ms: ${[...died].map(([point, all]) => `${point} ${fastest(all)}`).join(', ')}`);
  }, 420_000);
  afterAll(async () => {
    await uploader.close();
    await world.close();
  });

  /** An upload on a queue of its own, whose first worker dies at `point`. */
  async function dieAt(point: string, wrongType: boolean, nth: number) {
    const key = `kill-${point.replaceAll(/[^A-Za-z0-9]+/g, '-')}-${nth}`;
    const env = { HAPAX_TASK_QUEUE: `${world.env.HAPAX_TASK_QUEUE}-${key}` };
    // A document that is called a picture is refused.
    const bytes = Buffer.concat([Buffer.from(wrongType ? '%PDF-1.7\n' : ''), randomBytes(3_000)]);
    const connected = await connectGateway({
      databaseUrl: world.databaseUrl,
      temporalAddress: world.env.TEMPORAL_ADDRESS ?? '',
      taskQueue: env.HAPAX_TASK_QUEUE,
    });
    const { gateway, database } = connected;
    const scope = { tenant: world.tenants.alpha, environment: 'test', subject: 'default' } as const;
    const id = operationId({ ...scope, flow: 'upload', key }, 1);
    try {
      const type = wrongType ? 'image/png' : 'application/octet-stream';
      const request = { name: 'a', size: bytes.length, type, destination: 'd', sha256: sha256(bytes) };
      const record = await whenLedgerIsThere(world, `${key} is announced`, async () => {
        await gateway.start(uploadFlow, { ...scope, key, request });
        return (await gateway.status(scope.tenant, id)) ?? expect.unreachable();
      });
      const uploads = new Uploads({ database, objects: uploader.store, gateway, log: console.error });
      // On a busy machine ledger or store may be away for a second, which the sender is told.
      await world.until(`${key} has its bytes`, async () => {
        const sent = await whenLedgerIsThere(world, `${key} is sent`, () =>
          uploads.receiveBytes(record, {
            stream: Readable.from([bytes]),
            contentLength: bytes.length,
            contentType: undefined,
          }),
        );
        return sent.kind === 'received';
      });
      const media = await startMedia(readConfig(mediaSettings, { ...world.env, ...env }));
      const victim = await world.start('test/support/faulty-upload-worker.ts', env, [point]);
      await victim.gone();
      const at = Date.now();
      const healthy = await workerHere({ ...world.env, ...env });
      await uploader.ended(id);
      const [row] = await world.sql<{ settled_at: Date }>('select settled_at from hapax.operation where id = $1', id);
      await Promise.all([healthy.stop(), media.stop()]);
      return { id, bytes, took: (row?.settled_at.getTime() ?? Number.NaN) - at };
    } finally {
      await connected.close();
    }
  }

  it.each(good)('at %s is replaced: the file is there once, within 5 s', async (point) => {
    const all = died.get(point) ?? expect.unreachable();
    for (const { id, bytes } of all) {
      expect(await world.state(id)).toBe('succeeded');
      const [key = '', ...more] = await uploader.objects(id);
      expect([sha256(await uploader.bytes(key)), more]).toEqual([sha256(bytes), []]);
      expect(await uploader.rows(id)).toMatchObject({ content: [expect.any(String)], assets: 1 });
      // `asset.ready` and `upload.used`.
      expect(await world.sql('select distinct type from hapax.outbox where operation_id = $1', id)).toHaveLength(2);
      expect(await world.sql('select from hapax.outbox where operation_id = $1', id)).toHaveLength(2);
      const states = await world.sql('select distinct state from hapax.step where operation_id = $1', id);
      expect(states).toEqual([{ state: 'done' }]);
    }
    expect(fastest(all)).toBeLessThanOrEqual(recoveryWithin);
  });

  it.each(refused)('at %s of a refused one is replaced: nothing is left, within 5 s', async (point) => {
    const all = died.get(point) ?? expect.unreachable();
    for (const { id } of all) {
      expect(await world.state(id)).toBe('refused');
      expect(await uploader.objects(id)).toEqual([]);
      expect(await uploader.rows(id)).toEqual({ content: [], assets: 0 });
    }
    expect(fastest(all)).toBeLessThanOrEqual(recoveryWithin);
  });
});
