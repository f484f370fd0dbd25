import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Database } from '../../activities/stores/postgres/database.ts';
import { forget } from '../../activities/stores/postgres/upkeep/forget.ts';
import { placedOnce } from '../support/one-upload.ts';
import { sha256, Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';

describe('an upload', () => {
  let world: World;
  let uploader: Uploader;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { media: true, env: { HAPAX_ANSWER_CACHE: '0' } });
    uploader = await Uploader.of(world);
  });
  afterAll(async () => {
    await uploader.close();
    await world.close();
  });

  /** As if the time of its tombstone had come. */
  async function forgotten(id: string): Promise<void> {
    const upkeep = new Database(world.databaseUrl, 'hapax_upkeep', 1);
    await world.sql('update hapax.operation set answer_expires_at = now(), tombstone_until = now() where id = $1', id);
    // The world's own upkeep may have the row in its hands.
    await world.until(`${id} is forgotten`, async () => {
      await forget(upkeep, 100);
      return (await world.state(id)) === 'missing';
    });
    await upkeep.close();
  }

  it.each([
    ['the same bytes', true],
    ['other bytes', false],
  ])('whose key comes again when nobody remembers it harms nothing of what it made: %s', async (_, same) => {
    const key = `forgotten-${same}`;
    const bytes = randomBytes(500);
    const first = (await uploader.upload(key, bytes)).json;
    await forgotten(first.id);
    const again = await uploader.upload(key, same ? bytes : randomBytes(500));
    expect(again.json).toMatchObject({ id: first.id, state: 'refused', problem: { code: 'key-expired' } });
    const [asset] = await world.sql<{ id: string }>('select id from hapax.asset where operation_id = $1', first.id);
    expect(asset?.id).toBe(first.result.assetId);
    const objects = await uploader.objects(first.id);
    expect(objects).toHaveLength(1);
    expect((await uploader.bytes(objects[0] as string)).equals(bytes)).toBe(true);
  });

  it('whose key is forgotten, and which left its content to another one, begins nothing under that name', async () => {
    const bytes = randomBytes(500);
    const media = world.running('workers/media.ts');
    for (const worker of media) worker.signal('SIGSTOP');
    const shared = { dedup: 'account' };
    const left = await uploader.announced('leaves', bytes, shared);
    await uploader.send(left, bytes);
    const placed = async (id: string) => (await uploader.rows(id)).assets === 1;
    await world.until('it is placed', () => placed(left.id));
    const heir = await uploader.announced('inherits', bytes, shared);
    await uploader.send(heir, bytes);
    await world.until('the other one shares it', () => placed(heir.id));
    await world.ask('POST', `/v1/operations/${left.id}/cancel`);
    for (const worker of media) worker.signal('SIGCONT');
    await Promise.all([left, heir].map(({ id }) => uploader.ended(id)));
    expect([await world.state(left.id), await world.state(heir.id)]).toEqual(['cancelled', 'succeeded']);
    await forgotten(left.id);
    const others = randomBytes(500);
    const again = await uploader.upload('leaves', others, shared);
    expect(again.json).toMatchObject({ id: left.id, state: 'refused', problem: { code: 'key-expired' } });
    const [inherited] = await uploader.objects(left.id);
    expect((await uploader.bytes(inherited as string)).equals(bytes)).toBe(true);
  });

  it('that is completed after its deadline counts where its bytes are there, as when nobody says so', async () => {
    const bytes = randomBytes(500);
    const workers = world.running('workers/operations.ts');
    const announced = await uploader.announced('overdue', bytes, { transfer: 'presigned', sha256: sha256(bytes) });
    for (const worker of workers) worker.signal('SIGSTOP');
    expect((await uploader.send(announced, bytes)).status).toBe(200);
    const empty = await uploader.announced('overdue-empty', bytes, { transfer: 'presigned', sha256: sha256(bytes) });
    await world.sql('update hapax.operation set deadline = now() where id = any($1)', [announced.id, empty.id]);
    expect((await uploader.complete(announced.id)).status).toBe(200);
    expect((await uploader.complete(empty.id)).json).toMatchObject({ status: 410, code: 'expired' });
    for (const worker of workers) worker.signal('SIGCONT');
    await uploader.ended(announced.id);
    await placedOnce(uploader, announced.id, bytes);
    await uploader.ended(empty.id);
    expect(await world.state(empty.id)).toBe('expired');
  });

  it.each([
    'text/plain;\n a=b',
    'text/plain\t; a=b',
    'text/plain; ',
    'text/plain; a="é"',
    'text/plain; a="☃"',
    'text/plain;\u00a0a=b',
  ])('of a type that no header can carry is refused before anything is claimed: %j', async (type) => {
    const { status, json } = await uploader.announce(`type-${encodeURIComponent(type)}`, Buffer.alloc(1), { type });
    expect([status, json.code]).toEqual([400, 'request-invalid']);
  });

  it.each([
    'text/plain; charset=utf-8',
    'text/plain;charset="utf-8"',
    'multipart/form-data; boundary="a b"',
    // As browsers make them.
    'text/plain;',
    'video/webm;codecs=vp8,opus',
    'video/mp4; codecs=avc1.42E01E,mp4a.40.2;',
  ])('of a type with parameters is announced: %s', async (type) => {
    expect((await uploader.announce(`type-${encodeURIComponent(type)}`, Buffer.alloc(1), { type })).status).toBe(201);
  });
});
