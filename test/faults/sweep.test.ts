import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { putOnce } from '../../activities/stores/s3/put-once.ts';
import { doorKey, thumbnailPrefix } from '../../activities/stores/s3/upload-keys.ts';
import { hours } from '../../workflows/operation/duration.ts';
import { uploadFlow } from '../../workflows/upload.flow.ts';
import { FaultyS3 } from '../support/faulty-s3.ts';
import { Uploader, sha256 } from '../support/uploader.ts';
import { World } from '../support/world.ts';

describe('what arrives after an upload has ended', () => {
  let world: World;
  let uploader: Uploader;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { upkeep: false });
    uploader = await Uploader.of(world);
  });
  afterAll(async () => {
    await uploader.close();
    await world.close();
  });

  const dueIn = async (id: string) => {
    const [row] = await world.sql<{ hours: number | null }>(
      'select (extract(epoch from sweep_at - settled_at) / 3600)::float8 as hours from hapax.operation where id = $1',
      id,
    );
    return row?.hours;
  };

  /** As if the time had come. A new upkeep looks at once. */
  async function swept(...ids: string[]): Promise<void> {
    await world.sql('update hapax.operation set sweep_at = now() where id = any($1)', ids);
    const upkeep = await world.start('workers/upkeep.ts');
    for (const id of ids) await world.until(`${id} is swept`, async () => (await dueIn(id)) === null);
    await upkeep.stop();
  }

  it('by a signed URL that outlived a cancel is removed, once nothing more can come', async () => {
    const bytes = randomBytes(1_000);
    const announced = await uploader.announced('late', bytes, { transfer: 'presigned', sha256: sha256(bytes) });
    await world.ask('POST', `/v1/operations/${announced.id}/cancel`);
    await uploader.ended(announced.id);
    expect((await uploader.send(announced, bytes)).status).toBe(200);
    expect(await uploader.objects(announced.id)).toHaveLength(1);
    expect(await dueIn(announced.id)).toBeCloseTo((uploadFlow.sweepAfter ?? 0) / hours(1), 6);
    await swept(announced.id);
    expect(await uploader.objects(announced.id)).toEqual([]);
  });

  it('for a content that its undo gave up is removed, and the content forgotten', async () => {
    // No media worker yet: the upload waits for its thumbnails, and is cancelled there.
    const bytes = randomBytes(1_000);
    const announced = await uploader.announced('undone', bytes);
    await uploader.send(announced, bytes);
    await world.until('it is placed', async () => (await uploader.rows(announced.id)).assets === 1);
    const { content } = await uploader.rows(announced.id);
    await world.ask('POST', `/v1/operations/${announced.id}/cancel`);
    await uploader.ended(announced.id);
    const late = `${thumbnailPrefix(content[0] as string)}v1/160.webp`;
    await putOnce(uploader.store, late, bytes, { type: 'image/webp', metadata: {} });
    await swept(announced.id);
    expect(await uploader.thumbnails(content[0] as string)).toEqual([]);
    expect(await world.sql('select from hapax.content where id = $1', content[0])).toEqual([]);
  });

  it('is removed beside what the upload has become, which stays', async () => {
    await world.start('workers/media.ts');
    const bytes = randomBytes(1_000);
    const { json } = await uploader.upload('kept', bytes);
    const [kept] = await uploader.objects(json.id);
    // A door that died between its write and its row, or whose store answered late.
    await putOnce(uploader.store, doorKey(json.id, 'stray'), bytes, { type: 'text/plain', metadata: {} });
    expect(await uploader.objects(json.id)).toHaveLength(2);
    await swept(json.id);
    expect(await uploader.objects(json.id)).toEqual([kept]);
    expect((await uploader.bytes(kept as string)).equals(bytes)).toBe(true);
    expect(await uploader.rows(json.id)).toMatchObject({ assets: 1, content: [expect.any(String)] });
  });

  it('keeps no claim from being started, though the store swallows every question about it', async () => {
    const s3 = await FaultyS3.to(world.env.S3_ENDPOINT as string);
    const outage = s3.fail('swallowed', ['ListObjectsV2'], 'uploads');
    const late = await Promise.all(
      Array.from({ length: 40 }, (_, n) => uploader.announced(`unswept-${n}`, randomBytes(10))),
    );
    const ids = late.map(({ id }) => id);
    await Promise.all(ids.map((id) => world.ask('POST', `/v1/operations/${id}/cancel`)));
    await Promise.all(ids.map((id) => uploader.ended(id)));
    await world.sql('update hapax.operation set sweep_at = now() where id = any($1)', ids);
    const upkeep = await world.start('workers/upkeep.ts', { S3_ENDPOINT: s3.url });
    await world.until('the store is asked', () => Promise.resolve(outage.met > 0));
    // A door that reaches no Temporal: its claims wait for upkeep.
    const lonely = await world.start('workers/http.ts', { TEMPORAL_ADDRESS: '127.0.0.1:9' });
    world.doors.push(lonely);
    const began = Date.now();
    const paid = await world.checkout('beside', {}, { door: world.doors.length - 1, headers: { prefer: 'wait=30' } });
    expect(paid.status).toBe(201);
    // Four rounds of ten questions that nobody answers would take longer.
    expect(Date.now() - began).toBeLessThanOrEqual(15_000);
    outage.end();
    await upkeep.kill();
    await s3.close();
  });

  it.each([
    ['before the store removes it', 'swallowed', 1],
    ['once the store has removed it', 'answer-held', 0],
  ] as const)('is removed though upkeep is killed %s', async (when, fault, left) => {
    const bytes = randomBytes(1_000);
    const announced = await uploader.announced(`killed ${when}`, bytes, {
      transfer: 'presigned',
      sha256: sha256(bytes),
    });
    await world.ask('POST', `/v1/operations/${announced.id}/cancel`);
    await uploader.ended(announced.id);
    expect((await uploader.send(announced, bytes)).status).toBe(200);
    const s3 = await FaultyS3.to(world.env.S3_ENDPOINT as string);
    const outage = s3.fail(fault, ['DeleteObject'], announced.id);
    await world.sql('update hapax.operation set sweep_at = now() where id = $1', announced.id);
    const upkeep = await world.start('workers/upkeep.ts', { S3_ENDPOINT: s3.url });
    await world.until('the store is asked', () => Promise.resolve(outage.met > 0 && outage.done >= 1 - left));
    await upkeep.kill();
    await s3.close();
    expect(await uploader.objects(announced.id)).toHaveLength(left);
    // Not forgotten: the next look is ten minutes away.
    const [row] = await world.sql<{ minutes: number }>(
      'select (extract(epoch from sweep_at - now()) / 60)::float8 as minutes from hapax.operation where id = $1',
      announced.id,
    );
    expect(row?.minutes).toBeGreaterThan(8);
    expect(row?.minutes).toBeLessThanOrEqual(10);
    await swept(announced.id);
    expect(await uploader.objects(announced.id)).toEqual([]);
  });

  it('is never looked for after a checkout, which has nothing outside that could', async () => {
    expect((await world.checkout('no-bytes')).status).toBe(201);
    const [row] = await world.sql(`select sweep_at from hapax.operation where key = 'no-bytes'`);
    expect(row).toEqual({ sweep_at: null });
  });
});
