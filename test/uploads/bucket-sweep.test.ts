import { randomBytes } from 'node:crypto';
import { CreateMultipartUploadCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Database } from '../../activities/stores/postgres/database.ts';
import { beat, standingOf } from '../../activities/sweep/ledger-standing.ts';
import { adoptWhereLost } from '../../activities/adopt-where-lost.ts';
import { listMultiparts } from '../../activities/stores/s3/multipart/list-multiparts.ts';
import { listObjects } from '../../activities/stores/s3/list-objects.ts';
import { putOnce } from '../../activities/stores/s3/put-once.ts';
import { ledgerMarkKey } from '../../activities/stores/s3/upload-keys.ts';
import { days, hours, minutes } from '../../workflows/operation/duration.ts';
import { eachAtOnce } from '../support/each-at-once.ts';
import { FaultyS3 } from '../support/faulty-s3.ts';
import { hapax, startHapax } from '../support/hapax-command.ts';
import { connectS3, s3Settings } from '../../workers/connect-s3.ts';
import { readConfig } from '../../workers/config.ts';
import { World } from '../support/world.ts';
import { OwnBucket } from '../support/own-bucket.ts';
import { picture } from '../support/upload-lane.ts';

let own: OwnBucket;
beforeAll(async () => {
  own = await OwnBucket.create(inject('ground'), { media: true, upkeep: false });
});
afterAll(async () => await own.close());

const newId = (prefix: string) => `${prefix}_${randomBytes(13).toString('hex')}`;
const nobodys = () => `uploads/${newId('op')}/whole-1`;
const keys = async (prefix = '') => (await listObjects(own.uploader.store, prefix)).map(({ key }) => key);
const sql: OwnBucket['world']['sql'] = async (...args) => await own.world.sql(...args);

/** @returns the asset that an upload has become, and the object that holds its bytes */
async function placed(key: string, bytes: Uint8Array, changes: object = {}) {
  const { json } = await own.uploader.upload(key, bytes, changes);
  expect(json.state, JSON.stringify(json)).toBe('succeeded');
  const asset = json.result.assetId as string;
  const [row] = await sql<{ id: string; object_key: string }>(
    'select c.id, c.object_key from hapax.asset a join hapax.content c on c.id = a.content_id where a.id = $1',
    asset,
  );
  return { asset, operation: json.id as string, content: row?.id as string, object: row?.object_key as string };
}

const look = async (asset: string) => await own.world.ask('GET', `/v1/assets/${asset}`);
const content = async (asset: string) => await own.world.ask('GET', `/v1/assets/${asset}/content`);

describe('a sweep', () => {
  it('removes what no row explains, and nothing else; a dry run says so and removes nothing', async () => {
    const { object, content: id } = await placed('explained', await picture(), { type: 'image/png' });
    const made = await keys(`thumbnails/${id}/`);
    for (const key of [object, ...made]) await own.age(key, days(300));
    const left = [await own.leave(nobodys()), await own.leave(`thumbnails/${newId('cnt')}/v2/160.webp`)];
    const kept = [
      ...[object, ...made],
      await own.leave(nobodys(), hours(23)), // it may still get its row
      await own.leave(nobodys(), days(500)), // older than the ledger
      await own.leave('uploads/README.txt'),
      await own.leave('uploads/op_1/whole-1'),
      await own.leave('photos/holiday.jpg'),
    ];
    const before = await keys();
    const dry = await own.sweep('--dry-run', '--verbose');
    expect([dry.code, await keys()]).toEqual([0, expect.arrayContaining([...before])]);
    expect(dry.report.reclaimed).toEqual({
      'bytes of uploads': { objects: 1, bytes: 4 },
      derivatives: { objects: 1, bytes: 4 },
    });
    for (const key of left) expect(dry.told).toContain(`\t${key}\t4`);
    const swept = await own.sweep();
    expect([swept.code, swept.report.counts]).toMatchObject([
      0,
      { removed: 2, bytes: 8, notOurs: 3, failed: 0, lost: 0 },
    ]);
    const after = await keys();
    expect(after).toEqual(expect.arrayContaining(kept));
    expect(after.filter((key) => left.includes(key))).toEqual([]);
    expect(await sql('select what, objects::int, bytes::int from hapax.reclaimed order by what')).toEqual([
      { what: 'bytes of uploads', objects: 1, bytes: 4 },
      { what: 'derivatives', objects: 1, bytes: 4 },
    ]);
    expect(await own.passed()).toMatchObject({ removed: 0, notOurs: 3 });
  });

  it('removes more than a page of them', async () => {
    await Promise.all(Array.from({ length: 1_100 }, async () => await own.leave(nobodys())));
    expect(await own.passed()).toMatchObject({ removed: 1_100, bytes: 4_400, failed: 0 });
  });

  it('touches no upload that is under way, however old its pieces look', async () => {
    const bytes = randomBytes(6_000_000);
    const announced = await own.uploader.announced('under way', bytes, { transfer: 'tus' });
    const send = async (from: number, to: number) =>
      await own.world.ask('PATCH', announced.transfer.url, {
        body: bytes.subarray(from, to),
        headers: {
          'tus-resumable': '1.0.0',
          'upload-offset': String(from),
          'content-type': 'application/offset+octet-stream',
        },
      });
    expect((await send(0, 1_000)).status).toBe(204);
    expect((await send(1_000, 2_000)).status).toBe(204);
    for (const key of await own.uploader.objects(announced.id)) await own.age(key, days(30));
    // Bytes of a body whose writer has not recorded them yet.
    await own.leave(`uploads/${announced.id}/unrecorded`, days(30));
    const pieces = await own.uploader.objects(announced.id);
    expect(pieces.length).toBeGreaterThan(0);
    expect((await own.passed()).removed).toBe(0);
    expect(await own.uploader.objects(announced.id)).toEqual(pieces);
    expect((await send(2_000, bytes.length)).status).toBe(204);
    const { json } = await own.uploader.settled(announced.id);
    expect(json.state, JSON.stringify(json)).toBe('succeeded');
  });

  it.each([-10, 10])('removes nothing too early where the clock of the store is %i minutes off', async (off) => {
    const young = await own.leave(nobodys(), minutes(off));
    const almost = await own.leave(nobodys(), hours(24) - minutes(11) + minutes(off));
    const old = await own.leave(nobodys(), hours(25) + minutes(off));
    await own.passed();
    const after = await keys('uploads/');
    expect([young, almost, old].map((key) => after.includes(key))).toEqual([true, true, false]);
    for (const key of [young, almost]) await own.lose(key);
  });

  it('gives up multipart uploads that no row knows of, and those alone', async () => {
    const { store } = own.uploader;
    const begin = async (Key: string) => {
      const { UploadId } = await store.client.send(new CreateMultipartUploadCommand({ Bucket: store.bucket, Key }));
      await store.client.send(
        new UploadPartCommand({ Bucket: store.bucket, Key, UploadId, PartNumber: 1, Body: 'a part of nobody' }),
      );
      return UploadId as string;
    };
    const announced = await own.uploader.announced('parts', randomBytes(100), {
      transfer: 'multipart',
      size: 20_000_000,
    });
    await own.world.ask('POST', `/v1/uploads/${announced.id}/parts`, { body: { parts: [{ part: 1 }] } });
    const open = async () => (await listMultiparts(store, '')).map(({ s3UploadId }) => s3UploadId);
    const recorded = await open();
    const [ours, foreign] = [await begin(nobodys()), await begin('photos/film.mp4')];
    expect(await open()).toEqual(expect.arrayContaining([...recorded, ours, foreign]));
    expect((await own.passed()).removed).toBe(0); // it has only just begun
    await own.agePending(days(2));
    const { report } = await own.sweep();
    expect(report.reclaimed['multipart uploads']).toEqual({ objects: 1, bytes: 16 });
    expect((await open()).toSorted()).toEqual([...recorded, foreign].toSorted());
  });

  it('removes contents that no file refers to', async () => {
    const {
      asset,
      content: id,
      object,
    } = await placed('unreferenced', await picture(), { type: 'image/png', dedup: 'intent' });
    await sql('delete from hapax.asset where id = $1', asset);
    expect((await own.passed()).removed).toBe(0); // too young
    await sql(`update hapax.content set created_at = now() - interval '2 days' where id = $1`, id);
    expect((await own.sweep()).report.reclaimed.contents).toMatchObject({ objects: 1 });
    expect([await keys(`thumbnails/${id}/`), (await keys()).includes(object)]).toEqual([[], false]);
    expect(await sql('select from hapax.content where id = $1', id)).toEqual([]);
  });

  it('tells files whose object is gone, and makes them whole when their bytes come again', async () => {
    const bytes = randomBytes(5_000);
    const first = await placed('lost', bytes);
    await own.lose(first.object);
    expect((await own.sweep('--dry-run')).report.counts.lost).toBe(1);
    expect((await look(first.asset)).json.state).toBe('ready');
    const { report } = await own.sweep();
    expect(report).toMatchObject({ counts: { lost: 1 }, troubles: [{ what: 'lost contents', thing: first.object }] });
    expect((await look(first.asset)).json).toMatchObject({ state: 'lost', id: first.asset });
    expect((await look(first.asset)).json.download).toBeUndefined();
    expect((await content(first.asset)).status).toBe(404);
    // The same bytes are not linked to the object that is gone.
    const second = await placed('again', bytes);
    expect(second.content).not.toBe(first.content);
    await own.passed();
    expect((await look(first.asset)).json.state).toBe('ready');
    const got = await content(first.asset);
    expect([got.status, got.text.length > 0]).toEqual([200, true]);
    await sql(`update hapax.content set created_at = now() - interval '2 days' where id = $1`, first.content);
    await own.passed();
    expect(await sql('select from hapax.content where id = $1', first.content)).toEqual([]);
  });

  it('is not needed for a file whose bytes come again before it: its content takes them', async () => {
    const bytes = randomBytes(5_000);
    const first = await placed('lost unseen', bytes);
    await own.lose(first.object);
    const second = await placed('again at once', bytes);
    expect([second.content, second.object === first.object]).toEqual([first.content, false]);
    for (const { asset } of [first, second]) expect((await content(asset)).status).toBe(200);
    expect((await own.passed()).lost).toBe(0);
  });

  it('is seen between placing and tidying, and the bytes that came are kept all the same', async () => {
    const bytes = randomBytes(5_000);
    const first = await placed('lost in between', bytes);
    await own.lose(first.object);
    await own.passed();
    expect((await look(first.asset)).json.state).toBe('lost');
    const brought = `${first.object}-again`;
    await putOnce(own.uploader.store, brought, bytes, { type: 'application/octet-stream', metadata: {} });
    const tidied = { content: first.content, kept: first.object, brought };
    for (let n = 0; n < 2; n += 1)
      expect(await adoptWhereLost(own.uploader.database, own.uploader.store, own.world.tenants.alpha, tidied)).toBe(
        brought,
      );
    expect([(await look(first.asset)).json.state, (await content(first.asset)).status]).toEqual(['ready', 200]);
  });

  it('finds an object that was put back', async () => {
    const bytes = randomBytes(5_000);
    const { asset, object } = await placed('put back', bytes);
    await own.lose(object);
    await own.passed();
    expect((await look(asset)).json.state).toBe('lost');
    await putOnce(own.uploader.store, object, bytes, { type: 'application/octet-stream', metadata: {} });
    const { report } = await own.sweep();
    expect([report.counts.lost, report.troubles.filter(({ thing }: { thing: string }) => thing === object)]).toEqual([
      0,
      [],
    ]);
    expect([(await look(asset)).json.state, (await content(asset)).status]).toEqual(['ready', 200]);
  });

  it('says of thumbnails that are gone that they failed', async () => {
    const { asset, content: id } = await placed('no thumbnail', await picture(), {
      type: 'image/png',
      dedup: 'intent',
    });
    await own.lose((await keys(`thumbnails/${id}/`))[0] as string);
    expect((await own.passed()).lost).toBe(1);
    expect((await look(asset)).json.derivatives).toMatchObject([{ state: 'failed', code: 'objects-missing' }]);
  });

  it('keeps what it could not remove, and does it later', async () => {
    const key = await own.leave(nobodys());
    const s3 = await FaultyS3.to(own.world.env.S3_ENDPOINT as string);
    const outage = s3.fail({ status: 403, code: 'AccessDenied', done: false }, ['DeleteObject'], key);
    const failed = await own.sweepAt(s3.url);
    expect([failed.code, failed.told, failed.report.counts]).toMatchObject([
      1,
      /next sweep/,
      { removed: 0, failed: 1 },
    ]);
    expect(failed.report.troubles).toMatchObject([{ what: 'bytes of uploads', thing: key, tries: 1 }]);
    outage.end();
    const done = await own.sweepAt(s3.url);
    expect([done.code, done.report.counts.removed, done.report.troubles]).toEqual([0, 1, []]);
    await s3.close();
  });

  it('that is killed goes on where it stood, by the schedule', async () => {
    const [first, second] = [await own.leave(nobodys()), await own.leave(`thumbnails/${newId('cnt')}/v2/160.webp`)];
    const s3 = await FaultyS3.to(own.world.env.S3_ENDPOINT as string);
    const outage = s3.fail('swallowed', ['DeleteObject'], 'thumbnails/');
    const { child, ran } = startHapax({ ...own.world.env, S3_ENDPOINT: s3.url }, 'sweep');
    await own.world.until('it has come to the thumbnails', () => Promise.resolve(outage.met > 0));
    // Nobody else works on it meanwhile.
    expect(await own.sweep()).toMatchObject({ code: 1, told: expect.stringMatching(/Another process sweeps/) });
    child.kill('SIGKILL');
    await ran;
    await s3.close();
    const pass = async () =>
      (
        await sql(
          `select stage, began_by, removed::int, ended_at is not null as ended from hapax.sweep_pass order by id desc limit 1`,
        )
      )[0];
    expect(await pass()).toEqual({ stage: 'derivatives', began_by: 'command', removed: 1, ended: false });
    // As if its lease of two minutes were over.
    await sql('update hapax.sweep_pass set leased_until = now() where ended_at is null');
    const upkeep = await own.world.start('workers/upkeep.ts');
    await own.world.until('the pass has ended', async () => (await pass())?.ended === true);
    expect(await pass()).toMatchObject({ began_by: 'command', removed: 2 });
    const left = await keys();
    expect([first, second].filter((key) => left.includes(key))).toEqual([]);
    await upkeep.stop();
  });

  it('comes by itself once a day, and upkeep shows what it has found', async () => {
    const key = await own.leave(nobodys());
    await sql(`update hapax.sweep_pass set began_at = now() - interval '25 hours'`);
    const upkeep = await own.world.start('workers/upkeep.ts');
    await own.world.until('it is removed', async () => !(await keys('uploads/')).includes(key));
    const metrics = async () => await (await fetch(`${upkeep.address}/metrics`)).text();
    await own.world.until('it is told', async () => (await metrics()).includes('hapax_sweep_newest{what="removed"} 1'));
    expect(await sql(`select began_by from hapax.sweep_pass order by id desc limit 1`)).toEqual([
      { began_by: 'schedule' },
    ]);
    await upkeep.stop();
  });

  it('tells what dedup saves, and what is stored beside what is known', async () => {
    const bytes = randomBytes(100_000);
    const before = (await own.sweep('--dry-run')).report.counts;
    await placed('shared once', bytes);
    await placed('shared twice', bytes);
    await own.leave(nobodys(), hours(1), Buffer.alloc(50_000));
    const after = (await own.sweep('--dry-run')).report.counts;
    const more = [after.fileBytes - before.fileBytes, after.contentBytes - before.contentBytes];
    expect(more).toEqual([200_000, 100_000]);
    expect(after.unexplainedBytes).toBeGreaterThanOrEqual(50_000);
    await sql(`update hapax.sweep_pass set began_at = now() - interval '25 hours'`);
    const upkeep = await own.world.start('workers/upkeep.ts');
    const shown = async () => await (await fetch(`${upkeep.address}/metrics`)).text();
    await own.world.until('it is shown', async () =>
      (await shown()).includes(`hapax_storage_bytes{what="files"} ${after.fileBytes}\n`),
    );
    expect(await shown()).toContain(`hapax_storage_bytes{what="contents"} ${after.contentBytes}\n`);
    await upkeep.stop();
  });
});

describe('a ledger that may lack rows', () => {
  it.each([
    ['restored from a backup', 'update hapax.ledger set beats = 0', /restored from a backup/],
    ['on a server that has taken over', `update hapax.ledger set server = '1/1'`, /another server has taken over/],
    ['of another bucket', `update hapax.ledger set id = 'another'`, /belongs to another ledger/],
  ])('%s removes nothing until a person has looked', async (_name, change, words) => {
    const key = await own.leave(nobodys());
    expect(await keys()).toContain(ledgerMarkKey);
    await sql(change);
    const held = await own.sweep();
    expect([held.code, held.told]).toEqual([1, expect.stringMatching(words)]);
    expect([held.report.counts.removed, (await keys()).includes(key)]).toEqual([0, true]);
    expect((await own.sweep('--accept-ledger')).report.counts.removed).toBe(1);
  });

  it('is not doubted by one of several that look at once, nor changed by a dry run', async () => {
    const fresh = await World.create(inject('ground'), { workers: 0, doors: 0, upkeep: false });
    const store = connectS3(readConfig(s3Settings, fresh.env));
    expect((await hapax(fresh.env, 'sweep', '--dry-run')).code).toBe(0);
    expect(await listObjects(store, '')).toEqual([]);
    const database = new Database(fresh.databaseUrl, 'hapax_upkeep', 4);
    const kinds = new Set<string>();
    await eachAtOnce(4, [...Array(60).keys()], async (n) => {
      kinds.add((await (n % 2 === 0 ? beat : standingOf)(database, store)).kind);
    });
    expect([...kinds]).toEqual(['ours']);
    await database.close();
    store.close();
    await fresh.close();
  });

  it('that has come to a bucket of others is not taken for theirs', async () => {
    const stranger = await World.create(inject('ground'), { workers: 0, doors: 0, upkeep: false });
    const { env, name } = stranger;
    const left = [`uploads/${newId('op')}/whole-1`, `uploads/${newId('op')}/whole-2`];
    const store = connectS3(readConfig(s3Settings, env));
    for (const key of left) await putOnce(store, key, Buffer.from(name), { type: 'text/plain', metadata: {} });
    const held = await hapax(env, 'sweep', '-o', 'json');
    expect([held.code, held.told]).toEqual([1, expect.stringMatching(/do not know each other/)]);
    expect((await listObjects(store, '')).map(({ key }) => key).toSorted()).toEqual(left.toSorted());
    store.close();
    await stranger.close();
  });

  it('gives up no deleted file, whatever its rows say', async () => {
    const { asset, object } = await placed('deleted before the backup', randomBytes(500), { dedup: 'intent' });
    await own.world.ask('DELETE', `/v1/assets/${asset}`);
    await sql(
      `update hapax.asset set gone_after = now() - interval '1 hour', purge_at = now() - interval '1 hour' where id = $1`,
      asset,
    );
    await sql('update hapax.ledger set beats = 0');
    const upkeep = await own.world.start('workers/upkeep.ts');
    const metrics = async () => await (await fetch(`${upkeep.address}/metrics`)).text();
    await own.world.until('it holds back', async () => (await metrics()).includes('{what="held-back"} 1'));
    expect((await own.sweep()).code).toBe(1);
    expect(await keys()).toContain(object);
    await upkeep.stop();
    expect((await own.sweep('--accept-ledger')).code).toBe(0);
    expect(await keys()).not.toContain(object);
  });
});
