import { randomBytes } from 'node:crypto';
import { createCRC64 } from 'hash-wasm';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { placedOnce } from '../support/one-upload.ts';
import { sha256, Uploader } from '../support/uploader.ts';
import { type Answered, World } from '../support/world.ts';

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

type Part = {
  number: number;
  offset: number;
  size: number;
  method: string;
  url: string;
  headers: Record<string, string>;
};
type Plan = {
  partSize: number;
  count: number;
  arrived: { number: number; size: number; etag: string }[];
  parts: Part[];
  sign: { method: string; url: string };
  complete: { method: string; url: string };
};

async function planned(key: string, bytes: Buffer): Promise<{ id: string; plan: Plan }> {
  const answer = await uploader.announce(key, bytes, { transfer: 'multipart', sha256: sha256(bytes) });
  expect(answer.status, answer.text).toBe(201);
  return { id: answer.json.id, plan: answer.json.transfer };
}

const put = async ({ url, method, headers }: Part, body: Uint8Array): Promise<Answered> =>
  await world.ask(method, url, { token: null, body, headers });

/** As S3 writes it. Its polynomial is that of NVM Express, reflected. */
async function crc64nvme(bytes: Uint8Array): Promise<string> {
  const crc = await createCRC64('9a6c9329ac4bc9b5');
  return Buffer.from(crc.init().update(bytes).digest(), 'hex').toString('base64');
}

/** Signs parts for the bytes that they have. */
async function signed({ sign }: Plan, bytes: Buffer, parts: readonly Part[]): Promise<Part[]> {
  const wanted = parts.map(({ number, offset, size }) => ({
    number,
    sha256: sha256(bytes.subarray(offset, offset + size)),
  }));
  const answer = await world.ask(sign.method, sign.url, { body: { parts: wanted } });
  expect(answer.status, answer.text).toBe(200);
  return answer.json.parts as Part[];
}

const of = (bytes: Buffer, { offset, size }: Part): Buffer => bytes.subarray(offset, offset + size);

describe('an upload in parts, straight to the object store', () => {
  it('is planned by its size, and is the bytes of its parts', async () => {
    const bytes = randomBytes(20 * MiB + 5);
    const { id, plan } = await planned('parts', bytes);
    expect(plan.parts.map(({ number, offset, size }) => [number, offset, size])).toEqual([
      [1, 0, plan.partSize],
      [2, plan.partSize, plan.partSize],
      [3, 2 * plan.partSize, bytes.length - 2 * plan.partSize],
    ]);
    const early = await world.ask('POST', plan.complete.url);
    expect([early.status, early.json.code, early.json.missing]).toEqual([409, 'bytes-missing', [1, 2, 3]]);
    for (const part of await signed(plan, bytes, plan.parts))
      expect((await put(part, of(bytes, part))).status).toBe(200);
    for (const door of [0, 1]) {
      const done = await world.ask('POST', plan.complete.url.replace(/^http:\/\/[^/]+/, ''), { door });
      expect(done.status, done.text).toBe(200);
    }
    const { json } = await uploader.settled(id);
    expect(json).toMatchObject({ state: 'succeeded', result: { size: bytes.length, sha256: sha256(bytes) } });
    await placedOnce(uploader, id, bytes);
  });

  it('is gone on with by its key alone: what has arrived is listed, and only the rest is signed', async () => {
    const bytes = randomBytes(17 * MiB);
    const { id, plan } = await planned('parts again', bytes);
    const [first, , last] = await signed(plan, bytes, plan.parts);
    if (first === undefined || last === undefined) return expect.unreachable();
    await put(first, of(bytes, first));
    await put(last, of(bytes, last));
    const found = await world.ask('GET', '/v1/uploads?key=parts%20again', { door: 1 });
    const again = found.json.uploads[0].transfer as Plan;
    expect(again.arrived.map(({ number }) => number)).toEqual([1, 3]);
    expect(again.parts.map(({ number }) => number)).toEqual([2]);
    // A part that arrived is not signed for the same bytes in vain: the store takes it again and has it once.
    for (const part of await signed(again, bytes, again.parts)) await put(part, of(bytes, part));
    expect((await world.ask('POST', again.complete.url)).status).toBe(200);
    await uploader.ended(id);
    await placedOnce(uploader, id, bytes);
  });

  it('has no part that is not what was signed: another content is refused by the store, and a cut one is not listed', async () => {
    const bytes = randomBytes(9 * MiB);
    const { id, plan } = await planned('parts flipped', bytes);
    const parts = await signed(plan, bytes, plan.parts);
    const [first, second] = parts;
    if (first === undefined || second === undefined) return expect.unreachable();
    const flipped = Buffer.from(of(bytes, first));
    flipped[1_000] = (flipped[1_000] ?? 0) ^ 1;
    expect((await put(first, flipped)).status).toBe(400);
    await put(second, of(bytes, second));
    const cut = new AbortController();
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(of(bytes, first).subarray(0, 3 * MiB));
        setTimeout(() => cut.abort(), 50);
      },
    });
    await fetch(first.url, {
      method: 'PUT',
      headers: first.headers,
      body,
      duplex: 'half',
      signal: cut.signal,
    } as RequestInit).catch(() => undefined);
    const refused = await world.ask('POST', plan.complete.url);
    expect([refused.status, refused.json.missing]).toEqual([409, [1]]);
    expect((await put(first, of(bytes, first))).status).toBe(200);
    expect((await world.ask('POST', plan.complete.url)).status).toBe(200);
    await uploader.ended(id);
    await placedOnce(uploader, id, bytes);
  });

  it('takes no part for arrived that is another than the one signed last, though it has its size', async () => {
    const bytes = randomBytes(9 * MiB);
    const { id, plan } = await planned('parts exchanged', bytes);
    const [unsigned] = plan.parts;
    if (unsigned === undefined) return expect.unreachable();
    const other = randomBytes(bytes.length);
    for (const part of await signed(plan, other, plan.parts)) await put(part, of(other, part));
    const parts = await signed(plan, bytes, plan.parts);
    for (const part of parts.slice(1)) await put(part, of(bytes, part));
    const refused = await world.ask('POST', plan.complete.url);
    expect([refused.status, refused.json.missing]).toEqual([409, [1]]);
    expect((await put(parts[0] ?? unsigned, of(bytes, unsigned))).status).toBe(200);
    expect((await world.ask('POST', plan.complete.url)).status).toBe(200);
    await uploader.ended(id);
    await placedOnce(uploader, id, bytes);
  });

  it('is refused as a whole where the parts are not the announced file', async () => {
    const [bytes, other] = [randomBytes(9 * MiB), randomBytes(9 * MiB)];
    const { id, plan } = await planned('parts of another', bytes);
    for (const part of await signed(plan, other, plan.parts)) await put(part, of(other, part));
    expect((await world.ask('POST', plan.complete.url)).status).toBe(200);
    const { json } = await uploader.settled(id);
    expect([json.state, json.problem.code]).toEqual(['refused', 'digest-mismatch']);
    expect(await uploader.objects(id)).toEqual([]);
  });

  it('is sent as the plan says, by a caller that computes nothing but the SHA-256 of its file', async () => {
    const bytes = randomBytes(20 * MiB + 5);
    const { id, plan } = await planned('as planned', bytes);
    for (const part of plan.parts) expect((await put(part, of(bytes, part))).status).toBe(200);
    expect((await world.ask('POST', plan.complete.url)).status).toBe(200);
    await uploader.ended(id);
    await placedOnce(uploader, id, bytes);
  });

  it('is refused where parts were sent as planned and are not the announced file', async () => {
    const [bytes, other] = [randomBytes(9 * MiB), randomBytes(9 * MiB)];
    const { id, plan } = await planned('another as planned', bytes);
    for (const part of plan.parts) await put(part, of(other, part));
    expect((await world.ask('POST', plan.complete.url)).status).toBe(200);
    const { json } = await uploader.settled(id);
    expect([json.state, json.problem.code]).toEqual(['refused', 'digest-mismatch']);
  });

  it('without a SHA-256 is held to the CRC64NVME of the whole, which the store compares', async () => {
    const bytes = randomBytes(9 * MiB);
    const right = await crc64nvme(bytes);
    const whole = (crc: string) => ({ headers: { 'x-amz-checksum-crc64nvme': crc } });
    for (const [key, told, state] of [
      ['crc', right, 'succeeded'],
      ['crc of another', await crc64nvme(Buffer.alloc(9)), 'refused'],
    ] as const) {
      const { json } = await uploader.announce(key, bytes, { transfer: 'multipart' });
      const plan = json.transfer as Plan;
      for (const part of plan.parts) await put(part, of(bytes, part));
      const unproven = await world.ask('POST', plan.complete.url);
      expect([unproven.status, unproven.json.code]).toEqual([422, 'proof-missing']);
      expect((await world.ask('POST', plan.complete.url, whole('AAAA'))).status).toBe(400);
      expect((await world.ask('POST', plan.complete.url, whole(told))).status).toBe(200);
      const ended = await uploader.settled(json.id);
      expect([ended.json.state, ended.json.problem?.code]).toEqual([
        state,
        state === 'refused' ? 'digest-mismatch' : undefined,
      ]);
      if (state === 'succeeded') await placedOnce(uploader, json.id, bytes);
      else expect(await uploader.objects(json.id)).toEqual([]);
    }
  });

  it.each(['is looked at', 'is due'])(
    'compares that CRC64NVME though the call that told it died, and the upload %s',
    async (found) => {
      const bytes = randomBytes(9 * MiB);
      const { json } = await uploader.announce(`crc ${found}`, bytes, { transfer: 'multipart' });
      const plan = json.transfer as Plan;
      for (const part of plan.parts) await put(part, of(bytes, part));
      const headers = { 'x-amz-checksum-crc64nvme': await crc64nvme(Buffer.alloc(9)) };
      // As the process leaves it: the parts are acknowledged, and the wait has not heard of them.
      await world.sql('alter table hapax.awaited add constraint nothing_arrives check (false) not valid');
      expect((await world.ask('POST', plan.complete.url, { headers })).status).toBeGreaterThanOrEqual(500);
      await world.sql('alter table hapax.awaited drop constraint nothing_arrives');
      if (found === 'is looked at') await world.ask('GET', `/v1/uploads/${json.id}`);
      else await uploader.expire(json.id);
      const ended = await uploader.settled(json.id);
      expect([ended.json.state, ended.json.problem?.code]).toEqual(['refused', 'digest-mismatch']);
      expect(await uploader.objects(json.id)).toEqual([]);
    },
  );

  it('forgets what was signed by one kind when it is signed by the other, and exchanges nothing once parts count', async () => {
    const bytes = randomBytes(9 * MiB);
    const { id, plan } = await planned('other kind', bytes);
    const crcs = [{ number: 1, crc64nvme: await crc64nvme(bytes) }];
    expect((await world.ask('POST', plan.sign.url, { body: { parts: crcs } })).status).toBe(200);
    const [, last] = plan.parts;
    if (last === undefined) return expect.unreachable();
    const [signedLast] = await signed(plan, bytes, [last]);
    const { json } = await world.ask('GET', `/v1/uploads/${id}`);
    const headers = (json.transfer as Plan).parts.map((part) => Object.keys(part.headers));
    expect(headers).toEqual([['content-length'], ['content-length', 'x-amz-checksum-sha256']]);
    for (const part of [...(await signed(plan, bytes, plan.parts)), signedLast ?? last])
      expect((await put(part, of(bytes, part))).status).toBe(200);
    expect((await world.ask('POST', plan.complete.url)).status).toBe(200);
    const [former] = await world.sql<{ s3_upload_id: string }>(
      'select s3_upload_id from hapax.upload_segment where operation_id = $1',
      id,
    );
    if (former !== undefined)
      expect(
        await world.sql(
          `select hapax.exchange_caller_parts($1, $2, 'another', 'CRC64NVME') as done`,
          id,
          former.s3_upload_id,
        ),
      ).toEqual([{ done: false }]);
    await uploader.ended(id);
    await placedOnce(uploader, id, bytes);
  });

  it('has its parts signed for their CRC64NVME just as well, and then goes on with it', async () => {
    const bytes = randomBytes(9 * MiB);
    const { id, plan } = await planned('parts by crc', bytes);
    const parts: object[] = [];
    for (const part of plan.parts) parts.push({ number: part.number, crc64nvme: await crc64nvme(of(bytes, part)) });
    const { json } = await world.ask('POST', plan.sign.url, { body: { parts } });
    const [first, ...rest] = json.parts as Part[];
    if (first === undefined) return expect.unreachable();
    const flipped = Buffer.from(of(bytes, first));
    flipped[7] = (flipped[7] ?? 0) ^ 1;
    expect((await put(first, flipped)).status).toBe(400);
    expect((await put(first, of(bytes, first))).status).toBe(200);
    const sha = [{ number: 2, sha256: sha256(bytes) }];
    const mixed = await world.ask('POST', plan.sign.url, { body: { parts: sha } });
    expect([mixed.status, mixed.json.code]).toEqual([400, 'request-invalid']);
    for (const part of rest) await put(part, of(bytes, part));
    expect((await world.ask('POST', plan.complete.url)).status).toBe(200);
    await uploader.ended(id);
    await placedOnce(uploader, id, bytes);
  });

  it.each([
    ['a part twice', [1, 1], { sha256: 'a'.repeat(64) }, 'names a part twice'],
    ['a part without a checksum', [1], {}, 'give each part its `sha256`, or each its `crc64nvme`'],
    ['both checksums', [1], { sha256: 'a'.repeat(64), crc64nvme: 'AAAAAAAAAAA=' }, 'or each its `crc64nvme`'],
    ['a CRC64NVME with bits to spare', [1], { crc64nvme: 'AAAAAAAAAAB=' }, 'give the CRC64NVME, 8 bytes, in base64'],
    ['no CRC64NVME', [1], { crc64nvme: 'AAAA' }, 'give the CRC64NVME, 8 bytes, in base64'],
    ['part 0', [0], { sha256: 'a'.repeat(64) }, 'number'],
    ['part 3 of 2', [3], { sha256: 'a'.repeat(64) }, 'There is no part 3'],
  ])('signs nothing for %s, and says why', async (_what, numbers, checksums, says) => {
    const { plan } = await planned('signed wrongly', Buffer.alloc(9 * MiB));
    const parts = numbers.map((number) => ({ number, ...checksums }));
    const { status, json } = await world.ask('POST', plan.sign.url, { body: { parts } });
    expect([status, json.code]).toEqual([400, 'request-invalid']);
    expect(json.detail).toContain(says);
  });

  it('may be finished by another way: bytes that come through this API begin at the first', async () => {
    const bytes = randomBytes(9 * MiB);
    const { id, plan } = await planned('parts then tus', bytes);
    const [first] = await signed(plan, bytes, plan.parts);
    if (first !== undefined) await put(first, of(bytes, first));
    const headers = {
      'tus-resumable': '1.0.0',
      'upload-offset': '0',
      'content-type': 'application/offset+octet-stream',
    };
    const sent = await world.ask('PATCH', `/v1/tus/${id}`, { body: bytes, headers });
    expect([sent.status, sent.headers.get('upload-offset')]).toEqual([204, `${bytes.length}`]);
    await uploader.ended(id);
    await placedOnce(uploader, id, bytes);
  });
});

describe('the calls of S3 around a multipart upload', () => {
  const tag = (text: string, name: string): string => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? '';

  it('create, list, complete and abort it', async () => {
    const bytes = randomBytes(12 * MiB);
    const metadata = {
      'content-type': 'application/octet-stream',
      'x-amz-meta-name': 'film.bin',
      'x-amz-meta-size': `${bytes.length}`,
    };
    const create = async (door = 0) =>
      await world.ask('POST', '/v1/s3/films/film-1?uploads=', { headers: metadata, door });
    const created = await Promise.all(Array.from({ length: 10 }, (_, n) => create(n % 2)));
    const ids = new Set(created.map(({ text }) => tag(text, 'UploadId')));
    expect([new Set(created.map(({ status }) => status)), ids.size]).toEqual([new Set([200]), 1]);
    const [id = ''] = ids;
    const cuts = [0, 5 * MiB, 11 * MiB, bytes.length];
    const pieces = [1, 2, 3].map((number) => ({ number, bytes: bytes.subarray(cuts[number - 1], cuts[number]) }));
    const wanted = pieces.map(({ number, bytes: piece }) => ({ number, sha256: sha256(piece) }));
    const { json } = await world.ask('POST', `/v1/uploads/${id}/parts`, { body: { parts: wanted } });
    const tags: string[] = [];
    for (const [n, part] of (json.parts as Part[]).entries()) {
      const sent = await put(part, pieces[n]?.bytes ?? Buffer.alloc(0));
      expect(sent.status, sent.text).toBe(200);
      tags.push(sent.headers.get('etag') ?? '');
    }
    const listed = await world.ask('GET', `/v1/s3/films/film-1?uploadId=${id}`);
    expect([...listed.text.matchAll(/<PartNumber>(\d+)</g)].map(([, number]) => number)).toEqual(['1', '2', '3']);
    const list = tags.map((etag, n) => `<Part><PartNumber>${n + 1}</PartNumber><ETag>${etag}</ETag></Part>`).join('');
    const finish = async (door: number) =>
      await world.ask('POST', `/v1/s3/films/film-1?uploadId=${id}`, {
        body: `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`,
        headers: { 'content-type': 'application/xml' },
        door,
      });
    const finished = await Promise.all(Array.from({ length: 20 }, (_, n) => finish(n % 2)));
    expect(finished.map(({ status, text }) => [status, tag(text, 'Key')])).toEqual(
      finished.map(() => [200, 'films/film-1']),
    );
    expect((await uploader.settled(id)).json).toMatchObject({
      state: 'succeeded',
      result: { name: 'film.bin', sha256: sha256(bytes) },
    });
    await placedOnce(uploader, id, bytes);

    const other = tag((await world.ask('POST', '/v1/s3/film-2?uploads=', { headers: metadata })).text, 'UploadId');
    expect((await world.ask('DELETE', `/v1/s3/film-2?uploadId=${other}`)).status).toBe(204);
    await uploader.ended(other);
    expect(await world.state(other)).toBe('cancelled');
    const gone = await world.ask('POST', `/v1/s3/film-2?uploadId=${other}`, {
      body: '<CompleteMultipartUpload></CompleteMultipartUpload>',
    });
    expect([gone.status, gone.headers.get('content-type'), tag(gone.text, 'Code')]).toEqual([
      409,
      'application/xml',
      'cancelled',
    ]);
  });
});
