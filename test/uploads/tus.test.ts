import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { nothingLeft, placedOnce } from '../support/one-upload.ts';
import { sha256, Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';
import { TusCaller } from './tus-caller.ts';

let world: World;
let uploader: Uploader;
let tus: TusCaller;
beforeAll(async () => {
  world = await World.create(inject('ground'), { doors: 2, media: true });
  uploader = await Uploader.of(world);
  tus = new TusCaller(world);
});
afterAll(async () => {
  await uploader.close();
  await world.close();
});

const MiB = 1024 ** 2;
const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('the protocol tus 1.0', () => {
  it('is told by OPTIONS, without a token', async () => {
    for (const path of ['/v1/tus', '/v1/tus/op_00000000000000000000000000']) {
      const { status, headers } = await world.ask('OPTIONS', path, { token: null });
      expect([status, headers.get('tus-version'), headers.get('tus-checksum-algorithm')]).toEqual([
        204,
        '1.0.0',
        'sha1,sha256',
      ]);
      expect(headers.get('tus-extension')).toBe(
        'creation,creation-with-upload,creation-defer-length,expiration,checksum,termination,concatenation',
      );
      expect(Number(headers.get('tus-max-size'))).toBe(5 * 1024 ** 4);
    }
  });

  it.each<[string, Record<string, string>, number, string]>([
    ['no version', { 'tus-resumable': '' }, 412, 'protocol-version-unsupported'],
    ['another version', { 'tus-resumable': '0.2.2' }, 412, 'protocol-version-unsupported'],
    ['no length', {}, 400, 'request-invalid'],
    ['a negative length', { 'upload-length': '-1' }, 400, 'request-invalid'],
    ['a length in words', { 'upload-length': 'ten' }, 400, 'request-invalid'],
    ['two lengths', { 'upload-length': '1, 2' }, 400, 'request-invalid'],
    ['a broken length', { 'upload-length': '1.5' }, 400, 'request-invalid'],
    ['a length and none', { 'upload-length': '1', 'upload-defer-length': '1' }, 400, 'request-invalid'],
    ['another deferral', { 'upload-defer-length': '2' }, 400, 'request-invalid'],
    ['too great a length', { 'upload-length': `${5 * 1024 ** 4 + 1}` }, 413, 'body-too-large'],
    ['metadata without base64', { 'upload-length': '1', 'upload-metadata': 'filename ***' }, 400, 'request-invalid'],
    [
      'a key twice in its metadata',
      { 'upload-length': '1', 'upload-metadata': 'a YQ==,a YQ==' },
      400,
      'request-invalid',
    ],
    ['metadata without a key', { 'upload-length': '1', 'upload-metadata': ',' }, 400, 'request-invalid'],
    [
      'a name that no system takes',
      { 'upload-length': '1', 'upload-metadata': `filename ${base64('CON')}` },
      400,
      'request-invalid',
    ],
    [
      'a type that is none',
      { 'upload-length': '1', 'upload-metadata': `filetype ${base64('picture')}` },
      400,
      'request-invalid',
    ],
    ['a checksum of another kind', { 'upload-length': '1', 'upload-checksum': 'crc32 AAAA' }, 400, 'request-invalid'],
    ['another concatenation', { 'upload-length': '1', 'upload-concat': 'half' }, 400, 'request-invalid'],
    ['a concatenation of another place', { 'upload-concat': 'final;https://example.org/a' }, 400, 'request-invalid'],
  ])('refuses to create an upload with %s', async (what, headers, status, code) => {
    const answer = await tus.create(`refused ${what}`, headers);
    expect([answer.status, answer.json.code], answer.text).toEqual([status, code]);
    expect(answer.headers.get('tus-resumable')).toBe('1.0.0');
    if (status === 412) expect(answer.headers.get('tus-version')).toBe('1.0.0');
    expect(await world.sql('select from hapax.operation where key = $1', `refused ${what}`)).toEqual([]);
  });

  it('refuses to create an upload without a key, and one of a body of another type', async () => {
    const keyless = await tus.create(undefined, { 'upload-length': '1' });
    expect([keyless.status, keyless.json.code]).toEqual([400, 'key-missing']);
    const typed = await tus.create('typed', { 'upload-length': '1', 'content-type': 'text/plain' }, Buffer.from('a'));
    expect([typed.status, typed.json.code]).toEqual([415, 'media-type-unsupported']);
  });

  it.each<[string, Record<string, string>, number, string]>([
    ['no version', { 'tus-resumable': '' }, 412, 'protocol-version-unsupported'],
    ['no offset', { 'upload-offset': '' }, 400, 'request-invalid'],
    ['a negative offset', { 'upload-offset': '-1' }, 400, 'request-invalid'],
    ['another offset', { 'upload-offset': '1' }, 409, 'offset-mismatch'],
    ['another type', { 'content-type': 'application/octet-stream' }, 415, 'media-type-unsupported'],
    ['another length', { 'upload-length': '11' }, 400, 'request-invalid'],
    ['a checksum of another kind', { 'upload-checksum': 'md5 AAAA' }, 400, 'request-invalid'],
    ['a checksum without base64', { 'upload-checksum': 'sha1 *' }, 400, 'request-invalid'],
  ])('takes no bytes with %s', async (what, headers, status, code) => {
    const upload = await tus.created(`bytes with ${what}`, 10);
    const answer = await tus.patch(upload, 0, randomBytes(5), headers);
    expect([answer.status, answer.json.code], answer.text).toEqual([status, code]);
    expect((await tus.head(upload)).headers.get('upload-offset')).toBe('0');
  });

  it('gives back what was said of an upload, and no cache may keep it', async () => {
    const metadata = `filename ${base64('a, b.txt')},is_confidential,filetype ${base64('text/plain')}`;
    const upload = await tus.created('said', 12, { 'upload-metadata': metadata });
    const { status, headers } = await tus.head(upload);
    expect([
      status,
      headers.get('upload-length'),
      headers.get('upload-metadata'),
      headers.get('cache-control'),
    ]).toEqual([...[200, '12', metadata, 'no-store']]);
    const left = new Date(headers.get('upload-expires') ?? '').getTime() - Date.now();
    expect(left / 86_400_000).toBeCloseTo(7, 2);
    const shown = await world.ask('GET', `/v1/uploads/${upload.id}`);
    expect(shown.json).toMatchObject({ state: 'waiting', transfer: { method: 'PATCH', offset: 0 } });
    expect(shown.json.transfer.url).toMatch(new RegExp(`/v1/tus/${upload.id}$`));
  });

  it('lives on from each byte that comes, and not for ever', async () => {
    const bytes = randomBytes(1_000);
    const upload = await tus.created('lives on', bytes.length);
    const left = async (): Promise<number> => {
      const [row] = await world.sql<{ days: number }>(
        `select extract(epoch from deadline - now())::float8 / 86400 as days from hapax.operation where id = $1`,
        upload.id,
      );
      return row?.days ?? 0;
    };
    expect(await left()).toBeCloseTo(7, 2);
    await world.sql(`update hapax.operation set deadline = now() + interval '2 s' where id = $1`, upload.id);
    expect((await tus.patch(upload, 0, bytes.subarray(0, 600))).status).toBe(204);
    expect(await left()).toBeCloseTo(7, 2);
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    await uploader.wake(upload.id);
    expect((await tus.head(upload)).status).toBe(200);
    await uploader.expire(upload.id);
    await uploader.ended(upload.id);
    expect([await world.state(upload.id), (await tus.head(upload)).status]).toEqual(['expired', 410]);
    await nothingLeft(uploader, upload.id);
  });

  it('does not know an upload that there is not, or that is another person’s', async () => {
    const nothing = { id: '', path: '/v1/tus/op_00000000000000000000000000' };
    expect((await tus.head(nothing)).status).toBe(404);
    expect((await tus.patch(nothing, 0, randomBytes(1))).status).toBe(404);
    const upload = await tus.created('mine', 10);
    for (const token of ['local-beta', 'live-alpha', 'local-alpha.ann']) {
      const other = new TusCaller(world, token);
      expect((await other.head(upload)).status).toBe(404);
      expect((await other.patch(upload, 0, randomBytes(10))).status).toBe(404);
      expect((await other.delete(upload)).status).toBe(404);
    }
  });

  it('takes other methods by POST, for networks that know no PATCH', async () => {
    const upload = await tus.created('overridden', 3);
    const headers = { 'x-http-method-override': 'PATCH', 'upload-offset': '0' };
    const sent = await tus.ask('POST', upload.path, headers, Buffer.from('abc'));
    expect([sent.status, sent.headers.get('upload-offset')]).toEqual([204, '3']);
    await uploader.ended(upload.id);
    await placedOnce(uploader, upload.id, Buffer.from('abc'));
  });

  it('is created with its first bytes, once: a repetition brings none', async () => {
    const bytes = randomBytes(1_000);
    const create = async (door: number) =>
      await tus.create('with bytes', { 'upload-length': '1000' }, bytes.subarray(0, 600), door);
    const first = await create(0);
    expect([first.status, first.headers.get('upload-offset')]).toEqual([201, '600']);
    const again = await create(1);
    expect([
      again.status,
      again.headers.get('upload-offset'),
      again.headers.get('location')?.split('/').at(-1),
    ]).toEqual([...[201, '600', first.headers.get('location')?.split('/').at(-1)]]);
    const upload = TusCaller.uploadOf(first);
    expect((await tus.patch(upload, 600, bytes.subarray(600))).status).toBe(204);
    await uploader.ended(upload.id);
    await placedOnce(uploader, upload.id, bytes);
    const replayed = await create(0);
    expect([
      replayed.status,
      replayed.headers.get('upload-offset'),
      replayed.headers.get('idempotency-status'),
    ]).toEqual([...[201, '1000', 'replayed']]);
  });

  it('keeps a body with a SHA-1 as a whole, or not at all', async () => {
    const bytes = randomBytes(7 * MiB);
    const upload = await tus.created('sha1', bytes.length);
    const sha1 = (of: Buffer) => ({ 'upload-checksum': `sha1 ${createHash('sha1').update(of).digest('base64')}` });
    expect((await tus.patch(upload, 0, bytes, sha1(randomBytes(3)))).status).toBe(460);
    expect((await tus.head(upload)).headers.get('upload-offset')).toBe('0');
    expect((await tus.patch(upload, 0, bytes, sha1(bytes))).status).toBe(204);
    await uploader.ended(upload.id);
    await placedOnce(uploader, upload.id, bytes);
  });

  it('is held to Content-Digest, Content-MD5 and Repr-Digest as well', async () => {
    const bytes = randomBytes(5_000);
    const of = (some: Buffer, algorithm = 'sha256') => createHash(algorithm).update(some).digest('base64');
    const whole = { 'repr-digest': `sha-256=:${of(bytes)}:` };
    const upload = await tus.created('digest fields', bytes.length, whole);
    for (const wrong of [
      { 'content-digest': `sha-256=:${of(randomBytes(3))}:` },
      { 'content-md5': of(randomBytes(3), 'md5') },
    ])
      expect((await tus.patch(upload, 0, bytes, wrong)).status).toBe(460);
    expect((await tus.patch(upload, 0, bytes, { 'content-digest': `sha-256=:${of(bytes)}:` })).status).toBe(204);
    await uploader.ended(upload.id);
    await placedOnce(uploader, upload.id, bytes);
    const other = await tus.created('another whole', bytes.length, whole);
    await tus.patch(other, 0, randomBytes(bytes.length));
    expect((await uploader.settled(other.id)).json.problem.code).toBe('digest-mismatch');
  });

  it('is an object when it has no bytes, finished by its creation', async () => {
    const created = await tus.create('empty', { 'upload-length': '0' });
    expect([created.status, created.headers.get('upload-offset')]).toEqual([201, '0']);
    const { id } = TusCaller.uploadOf(created);
    expect((await uploader.settled(id)).json).toMatchObject({ state: 'succeeded', result: { size: 0 } });
    await placedOnce(uploader, id, Buffer.alloc(0));
  });
});

describe('partial uploads', () => {
  it('are joined by a final one, as often as they are asked for, whatever their sizes', async () => {
    const sizes = [6 * MiB, 10, 5 * MiB + 1, 0, 2 * MiB];
    const pieces = sizes.map((size) => randomBytes(size));
    const partials = await Promise.all(
      pieces.map(async (piece, n) => {
        const partial = await tus.created(`partial ${n % 2}`, piece.length, { 'upload-concat': 'partial' });
        if (piece.length > 0) expect((await tus.patch(partial, 0, piece, {}, n % 2)).status).toBe(204);
        const { headers } = await tus.head(partial);
        expect([headers.get('upload-concat'), headers.get('upload-offset')]).toEqual(['partial', `${piece.length}`]);
        return partial;
      }),
    );
    expect(new Set(partials.map(({ id }) => id)).size).toBe(sizes.length);
    const concat = { 'upload-concat': `final;${partials.map(({ path }) => path).join(' ')}` };
    for (const key of ['final', 'final', 'final again']) {
      const created = await tus.create(key, concat);
      expect(created.status, created.text).toBe(201);
      const upload = TusCaller.uploadOf(created);
      const looked = await tus.head(upload);
      expect([looked.headers.get('upload-concat'), looked.headers.get('upload-length')]).toEqual([
        ...[concat['upload-concat'], `${sizes.reduce((sum, size) => sum + size, 0)}`],
      ]);
      expect((await tus.patch(upload, 0, randomBytes(1))).status).toBe(409);
      const { json } = await uploader.settled(upload.id);
      expect(json).toMatchObject({ state: 'succeeded', result: { sha256: sha256(Buffer.concat(pieces)) } });
    }
    const [{ id } = { id: '' }] = await world.sql<{ id: string }>(`select id from hapax.operation where key = 'final'`);
    await placedOnce(uploader, id, Buffer.concat(pieces));
    for (const partial of partials) {
      expect((await tus.delete(partial)).status).toBe(204);
      await uploader.ended(partial.id);
      await nothingLeft(uploader, partial.id);
    }
    await placedOnce(uploader, id, Buffer.concat(pieces));
  });

  it('are not joined before all of their bytes are there, nor are uploads of another kind or person', async () => {
    const half = await tus.created(undefined, 10, { 'upload-concat': 'partial' });
    await tus.patch(half, 0, randomBytes(5));
    const file = await tus.created('no partial', 10);
    const foreign = await new TusCaller(world, 'local-beta').created(undefined, 0, { 'upload-concat': 'partial' });
    for (const [key, { path }, status] of [
      ['of half', half, 400],
      ['of a file', file, 400],
      ['of another', foreign, 404],
    ] as const) {
      expect((await tus.create(key, { 'upload-concat': `final;${path}` })).status).toBe(status);
      expect(await world.sql('select from hapax.operation where key = $1', key)).toEqual([]);
    }
  });
});

describe('two bodies at once', () => {
  const beingWritten = async (id: string) =>
    await world.until('the first body is being written', async () => {
      const rows = await world.sql('select from hapax.upload_session where operation_id = $1 and writing', id);
      return rows.length === 1;
    });

  it.each(['identical', 'different'])('of %s bytes at one offset leave one file, whole', async (which) => {
    const bytes = randomBytes(3 * MiB);
    const other = which === 'identical' ? bytes : randomBytes(3 * MiB);
    const upload = await tus.created(`both ${which}`, bytes.length);
    const sent = await Promise.all(
      [bytes, other, bytes, other].map((body, n) => tus.patch(upload, 0, body, {}, n % 2)),
    );
    for (const { status } of sent) expect([204, 409]).toContain(status);
    const { headers } = await tus.head(upload);
    const offset = Number(headers.get('upload-offset'));
    if (offset < bytes.length) await tus.patch(upload, offset, bytes.subarray(offset));
    const { json } = await uploader.settled(upload.id);
    expect(json.state).toBe('succeeded');
    if (offset === bytes.length) expect([sha256(bytes), sha256(other)]).toContain(json.result.sha256);
    const [key = '', ...more] = await uploader.objects(upload.id);
    expect([sha256(await uploader.bytes(key)), more]).toEqual([json.result.sha256, []]);
  });

  it('leave nothing of one that was overtaken through another process, however late it ends', async () => {
    const bytes = randomBytes(3 * MiB);
    const upload = await tus.created('overtaken', bytes.length);
    const late = tus.begun(upload, bytes.subarray(0, MiB), bytes.length);
    await beingWritten(upload.id);
    // Its first bytes are read.
    await pause(300);
    expect((await tus.patch(upload, 0, bytes, {}, 1)).status).toBe(204);
    await uploader.ended(upload.id);
    await placedOnce(uploader, upload.id, bytes);
    // A caller that asks where the upload stands lets the body go that this process still reads.
    expect((await tus.head(upload)).status).toBe(200);
    expect(await late.answered).toBe(409);
    await placedOnce(uploader, upload.id, bytes);
  });

  it('leave nothing of one that was overtaken and is not that of its digest', async () => {
    const bytes = randomBytes(3 * MiB);
    const upload = await tus.created('overtaken by the right one', bytes.length);
    const wrong = { 'upload-checksum': `sha256 ${createHash('sha256').update('other').digest('base64')}` };
    const late = tus.begun(upload, bytes.subarray(0, MiB), bytes.length, wrong);
    await beingWritten(upload.id);
    expect((await tus.patch(upload, 0, bytes, {}, 1)).status).toBe(204);
    await uploader.ended(upload.id);
    late.rest(bytes.subarray(MiB));
    expect(await late.answered).toBe(460);
    await placedOnce(uploader, upload.id, bytes);
  });
});
