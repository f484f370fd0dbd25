import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { placedOnce } from '../support/one-upload.ts';
import { sha256, Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';
import { ResumableCaller } from './resumable-caller.ts';
import { begunBy, resumableWay } from './ways.ts';

let world: World;
let uploader: Uploader;
let caller: ResumableCaller;
beforeAll(async () => {
  world = await World.create(inject('ground'), { doors: 2, media: true });
  uploader = await Uploader.of(world);
  caller = new ResumableCaller(world);
});
afterAll(async () => {
  await uploader.close();
  await world.close();
});

const standard = (name: string): string => `https://iana.org/assignments/http-problem-types#${name}`;
const digest = (bytes: Uint8Array, algorithm = 'sha256'): string =>
  createHash(algorithm).update(bytes).digest('base64');

it.each([3, 4, 5, 6, 7, 8])('an upload by the IETF in version %i is the bytes that were sent', async (version) => {
  const way = resumableWay(world, version);
  const bytes = randomBytes(300_000);
  const upload = begunBy(await way.create(`version ${version}`, bytes.length));
  for (const [n, [offset, end]] of [
    [0, 1],
    [1, 100_000],
    [100_000, 300_000],
  ].entries()) {
    const sent = await way.send(
      upload,
      { offset: offset ?? 0, bytes: bytes.subarray(offset, end), size: bytes.length },
      n % 2,
    );
    expect([200, 204], sent.text).toContain(sent.status);
    const name = version === 3 ? 'upload-incomplete' : 'upload-complete';
    expect(sent.headers.get(name)).toBe((end === 300_000) === (version !== 3) ? '?1' : '?0');
    expect(await way.look(upload, (n + 1) % 2)).toEqual({ status: 204, offset: end });
  }
  await uploader.ended(upload.id);
  await placedOnce(uploader, upload.id, bytes);
});

describe('the protocol of the IETF', () => {
  it('tells what it takes by OPTIONS, and where an upload stands by HEAD', async () => {
    const { headers } = await world.ask('OPTIONS', '/v1/resumable', { token: null });
    expect([headers.get('accept-patch'), headers.get('upload-limit')]).toEqual([
      'application/partial-upload',
      `max-size=${5 * 1024 ** 4}, max-age=${7 * 86_400}`,
    ]);
    const created = await caller.create('stands', { 'upload-complete': '?0', 'upload-length': '10' }, randomBytes(4));
    expect([created.status, created.headers.get('upload-offset')]).toEqual([201, '4']);
    const looked = await caller.head(begunBy(created));
    expect(looked.status).toBe(204);
    expect(Object.fromEntries(looked.headers)).toMatchObject({
      'upload-offset': '4',
      'upload-complete': '?0',
      'upload-length': '10',
      'cache-control': 'no-store',
    });
  });

  it.each<[string, Record<string, string>, number, string]>([
    ['an unknown version', { 'upload-draft-interop-version': '9' }, 412, 'protocol-version-unsupported'],
    ['a length that its body has not', { 'upload-length': '11', 'upload-complete': '?1' }, 400, 'request-invalid'],
    ['a digest that is none', { 'content-digest': 'sha-256' }, 400, 'digest-unusable'],
    ['a digest of another length', { 'content-digest': 'sha-256=:AAAA:' }, 400, 'digest-unusable'],
    ['digests that nobody knows', { 'content-digest': 'crc32=:AAAA:' }, 400, 'digest-unusable'],
    [
      'a whole digest of another kind',
      { 'repr-digest': `sha-512=:${digest(Buffer.from('a'), 'sha512')}:` },
      400,
      'digest-unusable',
    ],
    ['an MD5 that is none', { 'content-md5': 'abc' }, 400, 'digest-unusable'],
    ['a name that no system takes', { 'content-disposition': 'inline; filename="NUL"' }, 400, 'request-invalid'],
  ])('begins no upload with %s', async (what, headers, status, code) => {
    const answer = await caller.create(`refused ${what}`, { 'upload-complete': '?1', ...headers }, randomBytes(10));
    expect([answer.status, answer.json.code], answer.text).toEqual([status, code]);
    expect(await world.sql('select from hapax.operation where key = $1', `refused ${what}`)).toEqual([]);
  });

  it('has the problem types of the IETF for offsets, lengths and digests', async () => {
    const bytes = randomBytes(1_000);
    const upload = begunBy(await caller.create('types', { 'upload-complete': '?0', 'upload-length': '1000' }));
    const elsewhere = await caller.patch(upload, 5, bytes, false);
    expect([elsewhere.status, elsewhere.json]).toMatchObject([
      409,
      { type: standard('mismatching-upload-offset'), 'expected-offset': 0, 'provided-offset': 5 },
    ]);
    const long = await caller.patch(upload, 0, randomBytes(1_001), false);
    expect([long.status, long.json.type]).toEqual([413, standard('inconsistent-upload-length')]);
    const short = await caller.patch(upload, 0, bytes.subarray(0, 10), true);
    expect([short.status, short.json.type]).toEqual([400, standard('inconsistent-upload-length')]);
    for (const [header, value] of [
      ['content-digest', `sha-256=:${digest(randomBytes(2))}:`],
      ['content-digest', `sha-512=:${digest(randomBytes(2), 'sha512')}:`],
      ['content-md5', digest(randomBytes(2), 'md5')],
    ] as const) {
      const wrong = await caller.patch(upload, 0, bytes, true, { [header]: value });
      expect([wrong.status, wrong.json.type]).toEqual([400, standard('digest-mismatching-values')]);
    }
    const codes = ['chunk-digest-mismatch', 'offset-mismatch', 'upload-exceeded', 'request-timeout'];
    const counted = async (): Promise<number[]> => {
      const { text } = await world.ask('GET', '/metrics', { token: null });
      return codes.map((code) =>
        Number(new RegExp(`hapax_problems_total\\{code="${code}"\\} (\\d+)`).exec(text)?.[1] ?? 0),
      );
    };
    await expect.poll(counted).toEqual([3, 1, 1, 0]);
    const unusable = await caller.patch(upload, 0, bytes, true, { 'content-digest': 'md5=:AAAA:' });
    expect([unusable.status, unusable.json.type]).toEqual([400, standard('digest-unsupported-algorithms')]);
    expect((await caller.head(upload)).headers.get('upload-offset')).toBe('0');
    const sent = await caller.patch(upload, 0, bytes, true, {
      'content-digest': `sha-512=:${digest(bytes, 'sha512')}:`,
    });
    expect([sent.status, sent.headers.get('upload-complete')]).toEqual([200, '?1']);
    const again = await caller.patch(upload, 1_000, Buffer.alloc(0), true);
    expect([again.status, again.json.id]).toEqual([200, upload.id]);
    const more = await caller.patch(upload, 1_000, randomBytes(1), true);
    expect([more.status, more.json.type]).toEqual([400, standard('completed-upload')]);
    await uploader.ended(upload.id);
    await placedOnce(uploader, upload.id, bytes);
  });

  it('refuses a file that has not the digest it was announced with', async () => {
    const bytes = randomBytes(1_000);
    const headers = { 'upload-complete': '?1', 'repr-digest': `sha-256=:${digest(randomBytes(2))}:` };
    const upload = begunBy(await caller.create('other file', headers, bytes));
    const { json } = await uploader.settled(upload.id);
    expect([json.state, json.problem.code]).toEqual(['refused', 'digest-mismatch']);
    expect((await caller.head(upload)).status).toBe(410);
  });

  it('takes an ordinary upload in one request, and gives its answer again to its key', async () => {
    const bytes = randomBytes(5_000);
    const post = async (door: number) =>
      await world.ask('POST', '/v1/resumable?name=plain.bin&destination=inbox', {
        ...{ key: 'ordinary', door, body: bytes, headers: { 'content-type': 'application/octet-stream' } },
      });
    const first = await post(0);
    expect([first.status, first.headers.get('upload-complete')]).toEqual([200, '?1']);
    await uploader.ended(first.json.id);
    const again = await post(1);
    expect([again.status, again.headers.get('idempotency-status'), again.json]).toMatchObject([
      ...[201, 'replayed', { id: first.json.id, state: 'succeeded', name: 'plain.bin', sha256: sha256(bytes) }],
    ]);
    await placedOnce(uploader, first.json.id, bytes);
  });
});

describe('a plain PUT', () => {
  it('is held to its Content-Digest, its Repr-Digest and its Content-MD5, and keeps nothing of other bytes', async () => {
    const bytes = randomBytes(5_000);
    const other = randomBytes(10);
    const announced = await uploader.announced('put with digests', bytes);
    for (const [header, of] of [
      ['content-digest', (some: Uint8Array) => `sha-256=:${digest(some)}:`],
      ['content-digest', (some: Uint8Array) => `sha-512=:${digest(some, 'sha512')}:`],
      ['repr-digest', (some: Uint8Array) => `sha-256=:${digest(some)}:`],
      ['content-md5', (some: Uint8Array) => digest(some, 'md5')],
    ] as const) {
      const wrong = await uploader.send(announced, bytes, { headers: { [header]: of(other) } });
      expect([wrong.status, wrong.json.code, wrong.json.type]).toEqual([
        ...[400, 'chunk-digest-mismatch', standard('digest-mismatching-values')],
      ]);
      expect(await uploader.objects(announced.id)).toEqual([]);
    }
    const both = {
      'repr-digest': `sha-256=:${digest(bytes)}:`,
      'content-digest': `sha-512=:${digest(other, 'sha512')}:`,
    };
    expect((await uploader.send(announced, bytes, { headers: both })).json.code).toBe('chunk-digest-mismatch');
    const right = { 'content-digest': `sha-256=:${digest(bytes)}:`, 'content-md5': digest(bytes, 'md5') };
    expect((await uploader.send(announced, bytes, { headers: right })).status).toBe(200);
    await uploader.ended(announced.id);
    await placedOnce(uploader, announced.id, bytes);
  });
});
