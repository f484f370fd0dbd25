import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { nothingLeft, placedOnce } from '../support/one-upload.ts';
import { sha256, Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';
import { type Begun, begunBy, type Way } from './ways.ts';

/** What every way in for bytes that come in pieces has to keep. @param ways by their names */
export function uploadContract(ways: readonly [string, (world: World) => Way][]): void {
  let world: World;
  let uploader: Uploader;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { doors: 2, media: true });
    uploader = await Uploader.of(world);
  });
  afterAll(async () => {
    await uploader.close();
    await world.close();
  });

  const MiB = 1024 ** 2;
  const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64');

  async function begun(way: Way, key: string, size: number | undefined): Promise<Begun> {
    const created = await way.create(key, size);
    expect(created.status, created.text).toBe(201);
    return begunBy(created);
  }

  /** Sends a file in pieces, through both processes in turn. */
  async function send(way: Way, upload: Begun, bytes: Buffer, cuts: readonly number[], from = 0): Promise<void> {
    let at = from;
    for (const [n, end] of [...cuts, bytes.length].entries()) {
      const sent = await way.send(upload, { offset: at, bytes: bytes.subarray(at, end), size: bytes.length }, n % 2);
      expect([200, 201, 204], sent.text).toContain(sent.status);
      expect(await way.look(upload, (n + 1) % 2)).toMatchObject({ offset: end });
      at = end;
    }
  }

  describe.each(ways)('an upload by %s', (name, wayOf) => {
    it.each([
      { what: 'one small body', size: 64 * 1024, cuts: [] },
      { what: 'small pieces', size: 300_000, cuts: [1, 100_000, 100_001] },
      { what: 'large and small pieces', size: 22 * MiB, cuts: [7 * MiB, 7 * MiB + 1, 20 * MiB, 21 * MiB] },
    ])('is the bytes that were sent, as $what', async ({ what, size, cuts }) => {
      const way = wayOf(world);
      const bytes = randomBytes(size);
      const upload = await begun(way, `${name} ${what}`, size);
      await send(way, upload, bytes, cuts);
      const { json } = await uploader.settled(upload.id);
      expect(json).toMatchObject({ state: 'succeeded', result: { size, sha256: sha256(bytes) } });
      await placedOnce(uploader, upload.id, bytes);
    });

    it('may tell its size with its last byte', async () => {
      const way = wayOf(world);
      const bytes = randomBytes(200_000);
      const upload = await begun(way, `${name} deferred`, undefined);
      await send(way, upload, bytes, [150_000]);
      expect((await uploader.settled(upload.id)).json).toMatchObject({ state: 'succeeded', result: { size: 200_000 } });
      await placedOnce(uploader, upload.id, bytes);
    });

    it('is one upload, however often it is created under its key', async () => {
      const way = wayOf(world);
      const created = await Promise.all(
        Array.from({ length: 20 }, (_, n) => way.create(`${name} once`, 10, {}, n % 2)),
      );
      expect(new Set(created.map(({ status }) => status))).toEqual(new Set([201]));
      const urls = new Set(created.map((answer) => begunBy(answer).path));
      expect(urls.size).toBe(1);
      expect(created.filter(({ headers }) => headers.get('idempotency-status') === 'created')).toHaveLength(1);
      const others = await Promise.all([
        way.create(`${name} once`, 11),
        way.create(`${name} once`, 10, { name: 'other.bin' }),
        way.create(`${name} once`, 10, { type: 'text/plain' }),
        way.create(`${name} once`, 10, { destination: 'elsewhere' }),
      ]);
      expect(others.map(({ status, json }) => [status, json.code, json.fields])).toEqual(
        ['size', 'name', 'type', 'destination'].map((field) => [422, 'key-reused', [field]]),
      );
      const foreign = await way.create(`${name} once`, 10, { token: 'local-beta' });
      expect(foreign.status).toBe(201);
      expect(urls).not.toContain(begunBy(foreign).path);
    });

    it('keeps nothing of a body that begins elsewhere, or has too many bytes', async () => {
      const way = wayOf(world);
      const upload = await begun(way, `${name} elsewhere`, 1_000);
      const bytes = randomBytes(1_000);
      const part = (offset: number, end: number, of = bytes) => ({
        offset,
        bytes: of.subarray(offset, end),
        size: 1_000,
      });
      expect((await way.send(upload, part(0, 400))).status).toBe(204);
      for (const offset of [0, 399, 401]) {
        const { status, headers, json } = await way.send(upload, part(offset, 600));
        expect([status, json.code, headers.get('upload-offset')]).toEqual([409, 'offset-mismatch', '400']);
      }
      const long = await way.send(upload, { offset: 400, bytes: randomBytes(601), size: 1_001 });
      expect(long.status).toBeGreaterThanOrEqual(400);
      expect(await way.look(upload)).toMatchObject({ offset: 400 });
      await send(way, upload, bytes, [], 400);
      await uploader.ended(upload.id);
      await placedOnce(uploader, upload.id, bytes);
    });

    it('keeps nothing of a body that is not that of its digest', async () => {
      const way = wayOf(world);
      const bytes = randomBytes(3_000_000);
      const upload = await begun(way, `${name} digest`, bytes.length);
      const part = { offset: 0, bytes: bytes.subarray(0, 2_000_000), size: bytes.length };
      const wrong = await way.send(upload, { ...part, digest: digestOf(randomBytes(10)) });
      expect([wrong.status, wrong.json.code]).toEqual([way.name === 'tus' ? 460 : 400, 'chunk-digest-mismatch']);
      expect(await way.look(upload)).toMatchObject({ offset: 0 });
      expect((await way.send(upload, { ...part, digest: digestOf(part.bytes) })).status).toBe(204);
      expect(await way.look(upload)).toMatchObject({ offset: 2_000_000 });
      await send(way, upload, bytes, [], 2_000_000);
      await uploader.ended(upload.id);
      await placedOnce(uploader, upload.id, bytes);
    });

    it('is gone once its client has ended it, and its key begins anew', async () => {
      const way = wayOf(world);
      const bytes = randomBytes(8 * MiB);
      const upload = await begun(way, `${name} ended`, bytes.length);
      const first = { offset: 0, bytes: bytes.subarray(0, 6 * MiB), size: bytes.length };
      expect((await way.send(upload, first)).status).toBe(204);
      expect((await way.end(upload)).status).toBe(204);
      expect((await way.look(upload)).status).toBe(410);
      expect((await way.send(upload, { ...first, offset: 6 * MiB })).status).toBe(410);
      await uploader.ended(upload.id);
      await nothingLeft(uploader, upload.id);
      const again = await begun(way, `${name} ended`, bytes.length);
      expect(again.id).not.toBe(upload.id);
      expect(await way.look(again)).toMatchObject({ offset: 0 });
      await send(way, again, bytes, []);
      await uploader.ended(again.id);
      await placedOnce(uploader, again.id, bytes);
      expect((await way.end(again)).status).toBe(409);
      await placedOnce(uploader, again.id, bytes);
    });

    it('is unknown to another tenant', async () => {
      const way = wayOf(world);
      const { path } = await begun(way, `${name} foreign`, 10);
      const tus = { 'tus-resumable': '1.0.0' };
      expect((await world.ask('HEAD', path, { token: 'local-beta', headers: tus })).status).toBe(404);
    });
  });
}
