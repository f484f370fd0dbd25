import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { GetObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { arrive } from '../../activities/stores/postgres/ledger/arrive.ts';
import { headObject } from '../../activities/stores/s3/head-object.ts';
import { presignedBytes } from '../../activities/stores/s3/presigned-bytes.ts';
import { putOnce } from '../../activities/stores/s3/put-once.ts';
import { putStream } from '../../activities/stores/s3/put-stream.ts';
import { samenessOf } from '../../workflows/operation/sameness.ts';
import { uploadFlow } from '../../workflows/upload.flow.ts';
import { waitsForBytes } from '../support/one-upload.ts';
import { sha256, Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';

describe('an upload', () => {
  let world: World;
  let uploader: Uploader;
  let photograph: Buffer;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { doors: 2, media: true });
    uploader = await Uploader.of(world);
    photograph = await readFile('docs/photograph.jpg');
  });
  afterAll(async () => {
    await uploader.close();
    await world.close();
  });

  const photo = { name: 'photograph.jpg', type: 'image/jpeg', destination: 'photographs' };

  it('through the door is verified, placed, shown in small, and answered alike when its key comes again', async () => {
    const announced = await uploader.announced('door', photograph, { ...photo, sha256: sha256(photograph) });
    expect(announced).toMatchObject({
      state: 'waiting',
      transfer: { method: 'PUT', headers: { 'content-type': 'image/jpeg' } },
    });
    expect(new Date(announced.expiresAt).getTime()).toBeGreaterThan(Date.now());
    expect(announced.transfer).not.toHaveProperty('complete');
    expect((await uploader.send(announced, photograph)).json).toMatchObject({ sha256: sha256(photograph) });
    const { json } = await uploader.settled(announced.id);
    expect(json).toMatchObject({
      state: 'succeeded',
      result: { ...photo, size: photograph.length, sha256: sha256(photograph), deduplicated: false, failures: [] },
    });
    expect(json.steps.map(({ name, state }: Record<string, string>) => `${name} ${state}`)).toEqual([
      ...[
        'receive done',
        'assemble skipped',
        'verify done',
        'finalize done',
        'tidy done',
        'thumbnails done',
        'publish done',
      ],
    ]);
    const [key = ''] = await uploader.objects(announced.id);
    expect(await uploader.objects(announced.id)).toHaveLength(1);
    expect(sha256(await uploader.bytes(key))).toBe(sha256(photograph));
    const named = { Bucket: uploader.store.bucket, Key: key };
    const head = await uploader.store.client.send(new HeadObjectCommand(named));
    const got = await uploader.store.client.send(new GetObjectCommand(named));
    (got.Body as Readable).destroy();
    expect([head.ContentEncoding, got.ContentEncoding]).toEqual([undefined, undefined]);
    expect([head.ContentLength, got.ContentType]).toEqual([photograph.length, 'image/jpeg']);
    const original = await sharp(photograph).metadata();
    const { thumbnails } = json.result;
    expect(thumbnails.map(({ width }: { width: number }) => width)).toEqual([160, 480, 1280]);
    for (const thumbnail of thumbnails) {
      const bytes = await uploader.bytes(thumbnail.key);
      const { format, width, height } = await sharp(bytes).metadata();
      expect({ format, width, height, size: bytes.length }).toEqual({
        format: 'webp',
        width: thumbnail.width,
        height: thumbnail.height,
        size: thumbnail.size,
      });
      expect(width / height).toBeCloseTo(original.width / original.height, 1);
    }
    const [content = ''] = (await uploader.rows(announced.id)).content;
    expect(await uploader.thumbnails(content)).toHaveLength(3);
    expect(
      await world.sql(`select type from hapax.outbox where operation_id = $1 order by type`, announced.id),
    ).toEqual([{ type: 'asset.ready' }, { type: 'upload.used' }]);
    const again = await uploader.announce('door', photograph, { ...photo, sha256: sha256(photograph) });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.json).toEqual({ id: announced.id, state: 'succeeded', ...json.result });
  });

  it('straight to the object store is finished by a complete that may be repeated', async () => {
    const bytes = randomBytes(300_000);
    const announced = await uploader.announced('presigned', bytes, { transfer: 'presigned', sha256: sha256(bytes) });
    expect(new URL(announced.transfer.url).host).toBe(new URL(world.env.S3_ENDPOINT ?? '').host);
    const { method, url } = announced.transfer.complete ?? expect.unreachable();
    expect([method, new URL(url).pathname]).toEqual(['POST', `/v1/uploads/${announced.id}/complete`]);
    const early = await world.ask(method, url);
    expect([early.status, early.json.code]).toEqual([409, 'bytes-missing']);
    expect((await uploader.send(announced, bytes)).status).toBe(200);
    expect((await uploader.send(announced, bytes)).status).toBe(412);
    for (let n = 0; n < 3; n += 1) expect((await uploader.complete(announced.id)).status).toBe(200);
    const { json } = await uploader.settled(announced.id);
    expect(json).toMatchObject({ state: 'succeeded', result: { sha256: sha256(bytes), thumbnails: [] } });
    expect((await uploader.complete(announced.id)).status).toBe(200);
    expect(await uploader.objects(announced.id)).toHaveLength(1);
  });

  it.each(['application/x-notes;codecs=vp8,opus', 'text/plain;'])(
    'of a type as browsers write it goes both ways: %j',
    async (type) => {
      const bytes = Buffer.from('a few words');
      // The second has its bytes already otherwise.
      for (const way of [{}, { transfer: 'presigned', sha256: sha256(bytes), dedup: 'intent' }]) {
        const name = `typed-${encodeURIComponent(type)}-${Object.keys(way).length}`;
        const { json } = await uploader.upload(name, bytes, { type, ...way });
        expect(json).toMatchObject({ state: 'succeeded', result: { type, size: bytes.length } });
      }
    },
  );

  it('is never told to wait for bytes again by a look that follows the answer to them', async () => {
    for (let n = 0; n < 12; n += 1) {
      const bytes = randomBytes(1_000);
      const presigned = n % 2 === 1 ? { transfer: 'presigned', sha256: sha256(bytes) } : {};
      const announced = await uploader.announced(`agrees-${n}`, bytes, presigned);
      const sent = await uploader.send(announced, bytes);
      const told = n % 2 === 1 ? await uploader.complete(announced.id) : sent;
      const seen = [told.json.state as string];
      const path = `/v1/operations/${announced.id}`;
      while (!seen.includes('succeeded')) {
        const { json } = await world.ask('GET', path, { door: seen.length % 2 });
        seen.push(json.state);
        expect(json).not.toHaveProperty('transfer');
      }
      expect([...new Set(seen)].filter((state) => state !== 'running')).toEqual(['succeeded']);
    }
  });

  it('that was announced for the door can be asked for as presigned, with the same key, and back', async () => {
    const bytes = randomBytes(1_000);
    const announced = await uploader.announced('either', bytes, { transfer: 'door', sha256: sha256(bytes) });
    const ask = async (changes: object) =>
      (await uploader.announced('either', bytes, { sha256: sha256(bytes), ...changes })).transfer;
    const presigned = await ask({ transfer: 'presigned' });
    expect(presigned.url).toContain('X-Amz-Signature');
    expect(await ask({})).toEqual(announced.transfer);
    expect((await uploader.send({ ...announced, transfer: presigned }, bytes)).status).toBe(200);
    expect((await uploader.complete(announced.id)).status).toBe(200);
    expect((await uploader.settled(announced.id)).json.state).toBe('succeeded');
  });

  it('that was announced as presigned can be finished through the door', async () => {
    const bytes = randomBytes(1_000);
    const announced = await uploader.announced('both', bytes, { transfer: 'presigned', sha256: sha256(bytes) });
    const door = await uploader.announced('both', bytes, { transfer: 'door', sha256: sha256(bytes) });
    expect(door.id).toBe(announced.id);
    const path = `/v1/uploads/${announced.id}/content`;
    const sent = await world.ask('PUT', path, { body: bytes, headers: { 'content-type': 'application/octet-stream' } });
    expect(sent.status).toBe(200);
    expect((await uploader.settled(announced.id)).json.state).toBe('succeeded');
  });

  it('takes no other bytes than those that were signed for', async () => {
    const bytes = randomBytes(50_000);
    const announced = await uploader.announced('signed', bytes, { transfer: 'presigned', sha256: sha256(bytes) });
    const flipped = Buffer.from(bytes);
    flipped[7] = (flipped[7] ?? 0) ^ 1;
    expect((await uploader.send(announced, flipped)).status).toBe(400);
    const shorter = { headers: { 'content-length': String(bytes.length - 1) } };
    expect((await uploader.send(announced, bytes.subarray(1), shorter)).status).toBe(403);
    expect(await uploader.objects(announced.id)).toEqual([]);
    expect((await uploader.complete(announced.id)).json.code).toBe('bytes-missing');
    expect(await world.state(announced.id)).toBe('waiting');
  });

  it('needs a SHA-256 for a presigned transfer, and names the field', async () => {
    const { status, text, json } = await uploader.announce('no-sha', randomBytes(10), { transfer: 'presigned' });
    expect([status, json.code]).toEqual([400, 'request-invalid']);
    expect(text).toContain('sha256');
  });

  it('is the same upload when its key comes again, and another one is refused', async () => {
    const bytes = randomBytes(100);
    const first = await uploader.announced('same', bytes);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => uploader.announce('same', bytes, {}, { door: n % 2 })),
    );
    expect(new Set(answers.map(({ json }) => json.id))).toEqual(new Set([first.id]));
    for (const changes of [{ size: 101 }, { name: 'other' }, { type: 'text/plain' }, { destination: 'elsewhere' }])
      expect((await uploader.announce('same', bytes, changes)).json.code).toBe('key-reused');
    const beta = await uploader.announced('same', bytes, {}, { token: 'local-beta' });
    expect(beta.id).not.toBe(first.id);
    expect(await world.sql(`select id from hapax.operation where key = 'same'`)).toHaveLength(2);
  });

  it.each([
    ['a part of them', { 'content-range': 'bytes 0-999/1000' }, 400, 'Content-Range'],
    ['another form of them', { 'content-encoding': 'gzip' }, 415, 'Content-Encoding'],
  ])('keeps of its bytes no %s as the whole', async (part, headers, status, header) => {
    const bytes = randomBytes(1_000);
    const announced = await uploader.announced(`no ${part}`, bytes);
    const refused = await uploader.send(announced, bytes, { headers });
    expect(refused).toMatchObject({ status, json: { header, sameKeySafe: true } });
    expect(await uploader.objects(announced.id)).toEqual([]);
    expect((await uploader.send(announced, bytes)).status).toBe(200);
  });

  it('refuses another length and waits for the right one', async () => {
    const bytes = randomBytes(5_000);
    const announced = await uploader.announced('length', bytes);
    for (const wrong of [bytes.subarray(1), Buffer.concat([bytes, bytes]), Buffer.alloc(0)]) {
      const { status, json } = await uploader.send(announced, wrong);
      expect([status, json.code]).toEqual([422, 'bytes-refused']);
      // The upload is not lost with this try: what would be lost is the key, to a caller who is told to make a new one.
      expect(json).toMatchObject({ sameKeySafe: true, action: 'fix_request', operationUrl: expect.any(String) });
      expect(json.detail).toContain('send exactly its 5000 bytes to the same URL');
    }
    for (const wrong of [bytes.subarray(1), Buffer.concat([bytes, bytes])]) {
      const { status, text } = await sendChunked(announced.transfer.url, wrong);
      expect([status, text.includes('bytes-refused')]).toEqual([422, true]);
    }
    expect(await uploader.objects(announced.id)).toEqual([]);
    expect(await world.state(announced.id)).toBe('waiting');
    expect((await sendChunked(announced.transfer.url, bytes)).status).toBe(200);
    expect((await uploader.settled(announced.id)).json.state).toBe('succeeded');
    expect(await uploader.objects(announced.id)).toHaveLength(1);
  });

  it('refuses bytes of another digest than announced and waits for the right ones', async () => {
    const bytes = randomBytes(5_000);
    const flipped = Buffer.from(bytes);
    flipped[4_999] = (flipped[4_999] ?? 0) ^ 1;
    const announced = await uploader.announced('flipped', bytes, { sha256: sha256(bytes) });
    const { status, json } = await uploader.send(announced, flipped);
    expect([status, json.code]).toEqual([422, 'bytes-refused']);
    expect(json).toMatchObject({
      field: 'sha256',
      declared: sha256(bytes),
      actual: sha256(flipped),
      sameKeySafe: true,
    });
    expect((await sendChunked(announced.transfer.url, flipped)).status).toBe(422);
    expect(await uploader.objects(announced.id)).toEqual([]);
    expect(await world.state(announced.id)).toBe('waiting');
    expect((await sendChunked(announced.transfer.url, bytes)).status).toBe(200);
    expect((await uploader.settled(announced.id)).json.state).toBe('succeeded');
    expect(await uploader.objects(announced.id)).toHaveLength(1);
  });

  it('of other content than declared is refused, and its bytes are gone', async () => {
    const bytes = randomBytes(5_000);
    const declared = sha256(Buffer.from('something else'));
    const digest = await uploader.announced('digest', bytes, { sha256: declared });
    // No way of transfer lets them in: as if the object had been changed behind us.
    const objectKey = `uploads/${digest.id}/changed`;
    await putOnce(uploader.store, objectKey, bytes, { type: 'text/plain', metadata: {} });
    await world.sql(
      `insert into hapax.transfer (operation_id, tenant, outcome, method, object_key, size, sha256)
       values ($1, $2, 'received', 'presigned', $3, $4, null)`,
      ...[digest.id, world.tenants.alpha, objectKey, bytes.length],
    );
    await uploader.wake(digest.id);
    expect((await uploader.settled(digest.id)).json).toMatchObject({
      state: 'refused',
      problem: { code: 'digest-mismatch', actual: sha256(bytes) },
    });
    const png = await sharp({ create: { width: 9, height: 9, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    const type = (await uploader.upload('type', png, { type: 'image/jpeg' })).json;
    expect(type).toMatchObject({ state: 'refused', problem: { code: 'type-mismatch', actual: 'image/png' } });
    const text = (await uploader.upload('text', Buffer.from('no picture at all'), { type: 'image/jpeg' })).json;
    expect(text).toMatchObject({ state: 'refused', problem: { code: 'type-mismatch', actual: 'text/plain' } });
    for (const { id } of [digest, type, text]) {
      expect(await uploader.objects(id)).toEqual([]);
      expect(await uploader.rows(id)).toEqual({ content: [], assets: 0 });
    }
    const again = await uploader.announce('digest', bytes, { sha256: declared });
    expect([again.status, again.json.code]).toEqual([422, 'digest-mismatch']);
  });

  it('whose connection is cut keeps nothing and goes on waiting', async () => {
    const bytes = randomBytes(400_000);
    const announced = await uploader.announced('cut', bytes);
    await sendHalf(announced.transfer.url, bytes);
    await world.until('the half is gone', async () => (await uploader.objects(announced.id)).length === 0);
    expect(await world.state(announced.id)).toBe('waiting');
    await uploader.send(announced, bytes);
    expect((await uploader.settled(announced.id)).json.state).toBe('succeeded');
    expect(await uploader.objects(announced.id)).toHaveLength(1);
  });

  it('that is sent twice at once keeps one object; other bytes are refused', async () => {
    const bytes = randomBytes(2_000_000);
    const same = await uploader.announced('twice', bytes);
    const sent = await Promise.all([1, 2, 3, 4].map(() => uploader.send(same, bytes)));
    expect(sent.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect((await uploader.settled(same.id)).json.state).toBe('succeeded');
    expect(await uploader.objects(same.id)).toHaveLength(1);
    expect((await uploader.send(same, bytes)).status).toBe(200);
    const late = await uploader.send(same, randomBytes(bytes.length));
    expect([late.status, late.json.code]).toEqual([409, 'bytes-unexpected']);

    const others = [randomBytes(bytes.length), randomBytes(bytes.length)];
    const rival = await uploader.announced('rivals', bytes);
    const answers = await Promise.all(others.map((each) => uploader.send(rival, each)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
    const { json } = await uploader.settled(rival.id);
    const winner = others[answers.findIndex(({ status }) => status === 200)] as Buffer;
    expect(json.result.sha256).toBe(sha256(winner));
    await world.until('one object', async () => (await uploader.objects(rival.id)).length === 1);
    expect(sha256(await uploader.bytes((await uploader.objects(rival.id))[0] ?? ''))).toBe(sha256(winner));
  });

  it('whose object is removed behind us is refused, and its key begins anew', async () => {
    const bytes = randomBytes(1_000);
    const declared = { transfer: 'presigned', sha256: sha256(bytes) };
    const announced = await uploader.announced('removed', bytes, declared);
    await uploader.send(announced, bytes);
    await world.sql(
      `insert into hapax.transfer (operation_id, tenant, outcome, method, object_key, size, sha256)
       values ($1, $2, 'received', 'door', $3, $4, $5)`,
      ...[announced.id, world.tenants.alpha, `uploads/${announced.id}/gone`, bytes.length, sha256(bytes)],
    );
    await uploader.wake(announced.id);
    expect((await uploader.settled(announced.id)).json).toMatchObject({
      state: 'refused',
      problem: { code: 'bytes-missing' },
    });
    expect(await uploader.objects(announced.id)).toEqual([]);
    const anew = await uploader.announced('removed', bytes, declared);
    expect(anew.id).not.toBe(announced.id);
    await uploader.send(anew, bytes);
    await uploader.complete(anew.id);
    expect((await uploader.settled(anew.id)).json.state).toBe('succeeded');
  });

  it('clears away what a door left that died before it could write its row', async () => {
    const bytes = randomBytes(1_000);
    const announced = await uploader.announced('stray', bytes);
    const about = { type: 'application/octet-stream', metadata: { operation: announced.id } };
    await putOnce(uploader.store, `uploads/${announced.id}/left-by-a-dead-door`, randomBytes(99), about);
    expect(await uploader.objects(announced.id)).toHaveLength(1);
    await uploader.send(announced, bytes);
    expect((await uploader.settled(announced.id)).json.state).toBe('succeeded');
    const [key = '', ...more] = await uploader.objects(announced.id);
    expect([sha256(await uploader.bytes(key)), more]).toEqual([sha256(bytes), []]);
  });

  it('whose signal is lost goes on all the same', async () => {
    const bytes = randomBytes(1_000);
    const announced = await uploader.announced('unsignalled', bytes, { transfer: 'presigned', sha256: sha256(bytes) });
    await uploader.send(announced, bytes);
    const found = (await presignedBytes(uploader.store, announced.id)) ?? expect.unreachable();
    const ref = { id: announced.id, tenant: world.tenants.alpha };
    // A door that died between its commit and its signal.
    const evidence = { step: 'receive', position: 0, evidence: found, sameness: samenessOf(found, ['objectKey']) };
    expect((await arrive(uploader.database, ref, { ...evidence, evenDue: false })).kind).toBe('arrived');
    expect((await uploader.settled(announced.id)).json.state).toBe('succeeded');
  });

  it('that is cancelled while it waits takes no bytes, leaves none, and may begin anew', async () => {
    const bytes = randomBytes(10_000);
    const declared = { transfer: 'presigned', sha256: sha256(bytes) };
    const announced = await uploader.announced('cancel', bytes, declared);
    // Sent, and never told.
    expect((await uploader.send(announced, bytes)).status).toBe(200);
    expect(await uploader.objects(announced.id)).toHaveLength(1);
    const cancel = await world.ask('POST', `/v1/operations/${announced.id}/cancel`);
    expect(cancel.status).toBe(202);
    const anewWithTheKey = { code: 'cancelled', sameKeySafe: true, retryable: true, action: 'retry' };
    expect((await uploader.settled(announced.id)).json).toMatchObject({ state: 'cancelled', problem: anewWithTheKey });
    expect(await uploader.objects(announced.id)).toEqual([]);
    // The same bytes to the same URL can never count again: only an announcement begins anew.
    const announceAnew = { code: 'cancelled', sameKeySafe: true, retryable: false, action: 'fix_request' };
    expect((await uploader.complete(announced.id)).json).toMatchObject(announceAnew);
    const path = `/v1/uploads/${announced.id}/content`;
    const late = await world.ask('PUT', path, { body: bytes, headers: { 'content-type': 'application/octet-stream' } });
    expect([late.status, late.json]).toEqual([409, expect.objectContaining(announceAnew)]);
    expect(await uploader.objects(announced.id)).toEqual([]);
    const anew = await uploader.announced('cancel', bytes, declared);
    expect(anew.id).not.toBe(announced.id);
    await uploader.send(anew, bytes);
    await uploader.complete(anew.id);
    expect((await uploader.settled(anew.id)).json.state).toBe('succeeded');
  });

  it('that is cancelled while its bytes come keeps none of them', async () => {
    const bytes = randomBytes(300_000);
    const announced = await uploader.announced('cancel-sending', bytes);
    const sending = sendSlowly(announced.transfer.url, bytes, async () => {
      await world.ask('POST', `/v1/operations/${announced.id}/cancel`);
      await uploader.settled(announced.id);
    });
    expect(await sending).toBe(409);
    expect(await world.state(announced.id)).toBe('cancelled');
    expect(await uploader.objects(announced.id)).toEqual([]);
  });

  it('takes no bytes once a cancel stands in the ledger, though its story has not heard of it', async () => {
    const bytes = randomBytes(300_000);
    const announced = await uploader.announced('cancel-unheard', bytes);
    const status = await sendSlowly(announced.transfer.url, bytes, async () => {
      await world.sql('update hapax.operation set cancel_requested_at = now() where id = $1', announced.id);
    });
    expect(status).toBe(409);
    expect(await world.sql('select from hapax.transfer where operation_id = $1', announced.id)).toEqual([]);
    expect(await uploader.objects(announced.id)).toEqual([]);
  });

  it('leaves no object of a cut body in the store, even where nobody deletes it', async () => {
    const bytes = randomBytes(400_000);
    const key = `uploads/cut-${randomBytes(4).toString('hex')}`;
    const cut = new AbortController();
    const body = new Readable({ read: () => undefined });
    body.push(bytes.subarray(0, 300_000));
    const about = { key, body, size: bytes.length, type: 'application/octet-stream', operation: 'op_cut' };
    const put = putStream(uploader.store, { ...about, signal: cut.signal });
    setTimeout(() => cut.abort(), 200);
    await expect(put).rejects.toThrow();
    // versitygw commits a truncated object without a checksum within milliseconds of the disconnect.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await headObject(uploader.store, key)).toBeUndefined();
  });

  it('that ends while its caller waits for it tells him that the key may begin anew, at either door', async () => {
    const bytes = randomBytes(1_000);
    const announced = await uploader.announced('waited-for', bytes);
    // A worker that is frozen in the middle of a transaction would hold the row that the bytes need.
    await waitsForBytes(uploader, announced.id);
    // Under way: as long as it waits for its bytes, nobody is kept waiting for it.
    const workers = world.running('workers/operations.ts');
    for (const worker of workers) worker.signal('SIGSTOP');
    expect((await uploader.send(announced, bytes)).status).toBe(200);
    const waiting = uploader.announce('waited-for', bytes, {}, { headers: { prefer: 'wait=20' } });
    const request = { name: 'waited-for.bin', size: 1_000, type: 'application/octet-stream', destination: 'inbox' };
    const call = { tenant: world.tenants.alpha, environment: 'test', subject: 'default', key: 'waited-for' } as const;
    const told = uploader.gateway.run(uploadFlow, { ...call, request });
    const arrived = `select sum(times) as n from hapax.arrival where operation_id = $1 and decision = 'joined'`;
    await world.until('both wait', async () => (await world.sql<{ n: string }>(arrived, announced.id))[0]?.n === '2');
    await world.ask('POST', `/v1/operations/${announced.id}/cancel`);
    for (const worker of workers) worker.signal('SIGCONT');
    const anew = { code: 'cancelled', status: 409, sameKeySafe: true, retryable: true, action: 'retry' };
    expect((await waiting).json).toMatchObject(anew);
    expect(await told).toMatchObject({ id: announced.id, state: 'cancelled', problem: anew });
    expect((await uploader.announced('waited-for', bytes)).id).not.toBe(announced.id);
  });

  it('that is not sent in time expires, and its key names a new one', async () => {
    const bytes = randomBytes(1_000);
    const announced = await uploader.announced('late', bytes);
    await uploader.expire(announced.id);
    expect((await uploader.settled(announced.id)).json).toMatchObject({
      state: 'expired',
      problem: { code: 'expired', status: 410, sameKeySafe: true, retryable: true, action: 'retry' },
    });
    const late = await uploader.send(announced, bytes);
    expect(late.status).toBe(410);
    expect(late.json).toMatchObject({ code: 'expired', sameKeySafe: true, retryable: false, action: 'fix_request' });
    expect(await uploader.objects(announced.id)).toEqual([]);
    const anew = await uploader.announced('late', bytes);
    expect(anew.id).not.toBe(announced.id);
    expect(await world.sql(`select generation from hapax.operation where key = 'late' order by 1`)).toEqual([
      { generation: 1 },
      { generation: 2 },
    ]);
    await uploader.send(anew, bytes);
    expect((await uploader.settled(anew.id)).json.state).toBe('succeeded');
  });

  it('whose bytes lie in the object store at the deadline goes forward, though nobody said so', async () => {
    const bytes = randomBytes(1_000);
    const announced = await uploader.announced('untold', bytes, { transfer: 'presigned', sha256: sha256(bytes) });
    await uploader.send(announced, bytes);
    await uploader.expire(announced.id);
    expect((await uploader.settled(announced.id)).json).toMatchObject({ state: 'succeeded' });
    expect(await uploader.objects(announced.id)).toHaveLength(1);
  });

  it('whose deadline is moved goes on waiting', async () => {
    const bytes = randomBytes(1_000);
    const announced = await uploader.announced('moved', bytes);
    await world.sql(`update hapax.operation set deadline = now() + interval '1 hour' where id = $1`, announced.id);
    await uploader.send(announced, bytes);
    expect((await uploader.settled(announced.id)).json.state).toBe('succeeded');
  });

  it('of bytes that its scope has already shares one object, and never with another tenant', async () => {
    const bytes = randomBytes(20_000);
    const first = (await uploader.upload('share-1', bytes)).json;
    const second = (await uploader.upload('share-2', bytes, { name: 'another.bin' })).json;
    expect([first.result.deduplicated, second.result.deduplicated]).toEqual([false, true]);
    expect(second.result.assetId).not.toBe(first.result.assetId);
    expect(await uploader.objects(first.id)).toHaveLength(1);
    expect(await uploader.objects(second.id)).toEqual([]);
    expect(await uploader.rows(first.id, second.id)).toMatchObject({ content: [expect.any(String)], assets: 2 });

    const used = await world.sql(
      `select payload -> 'bytes' as bytes, payload -> 'stored' as stored from hapax.outbox
       where type = 'upload.used' and operation_id = any($1) order by array_position($1::text[], operation_id)`,
      [first.id, second.id],
    );
    expect(used).toEqual([
      { bytes: 20_000, stored: 20_000 },
      { bytes: 20_000, stored: 0 },
    ]);

    const apart = (await uploader.upload('share-3', bytes, { dedup: 'intent' })).json;
    const folder = (await uploader.upload('share-4', bytes, { dedup: 'folder', destination: 'a' })).json;
    const beta = (await uploader.upload('share-1', bytes, {}, { token: 'local-beta' })).json;
    const person = (await uploader.upload('share-1', bytes, {}, { token: 'local-alpha.ann' })).json;
    for (const { id, result } of [apart, folder, beta, person]) {
      expect(result.deduplicated).toBe(false);
      expect(await uploader.objects(id)).toHaveLength(1);
    }
  });

  it('of the same new bytes, many at once, keeps one object', async () => {
    const bytes = randomBytes(20_000);
    const keys = Array.from({ length: 8 }, (_, n) => `first-${n}`);
    const ended = (await Promise.all(keys.map((key) => uploader.upload(key, bytes)))).map(({ json }) => json);
    expect(ended.map(({ state }) => state)).toEqual(keys.map(() => 'succeeded'));
    const objects = (await Promise.all(ended.map(({ id }) => uploader.objects(id)))).flat();
    expect(objects).toHaveLength(1);
    expect(ended.filter(({ result }) => !result.deduplicated)).toHaveLength(1);
    expect((await uploader.rows(...ended.map(({ id }) => id))).content).toHaveLength(1);
  });

  it('of a pixel bomb or a broken picture is ready all the same, and says which step failed', async () => {
    const bomb = await sharp({ create: { width: 16_000, height: 16_000, channels: 3, background: 'black' } })
      .png()
      .toBuffer();
    const broken = photograph.subarray(0, photograph.length / 2);
    for (const [key, bytes, type] of [
      ['bomb', bomb, 'image/png'],
      ['broken', broken, 'image/jpeg'],
    ] as const) {
      const { json } = await uploader.upload(key, bytes, { type });
      expect(json).toMatchObject({ state: 'succeeded', result: { thumbnails: [] } });
      expect(json.result.failures).toMatchObject([{ step: 'thumbnails', code: 'content-undecodable' }]);
      expect(json.steps.find(({ name }: { name: string }) => name === 'thumbnails').state).toBe('failed');
      const [content = ''] = (await uploader.rows(json.id)).content;
      expect(await uploader.thumbnails(content)).toEqual([]);
    }
    const small = await sharp({ create: { width: 30, height: 20, channels: 3, background: 'blue' } })
      .png()
      .toBuffer();
    const after = (await uploader.upload('after-bomb', small, { type: 'image/png' })).json;
    expect(after.result.thumbnails).toMatchObject([{ width: 30, height: 20 }, { width: 30 }, { width: 30 }]);
  });

  it('of a drawing that names files is kept as bytes and never decoded', async () => {
    const svg = Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd" width="9" height="9"/></svg>',
    );
    const { json } = await uploader.upload('svg', svg, { type: 'image/svg+xml' });
    expect(json).toMatchObject({ state: 'succeeded', result: { thumbnails: [], failures: [] } });
  });

  it('of no bytes at all is an object of no bytes', async () => {
    const nothing = Buffer.alloc(0);
    const door = (await uploader.upload('zero', nothing, { dedup: 'intent' })).json;
    const presigned = (
      await uploader.upload('zero-presigned', nothing, {
        transfer: 'presigned',
        sha256: sha256(nothing),
        dedup: 'intent',
      })
    ).json;
    for (const { id, state, result } of [door, presigned]) {
      expect([state, result.size, result.sha256]).toEqual(['succeeded', 0, sha256(nothing)]);
      expect(await uploader.objects(id)).toHaveLength(1);
    }
  });

  it.each([
    ['name', { name: '../../etc/passwd' }],
    ['name', { name: 'a\nb' }],
    ['name', { name: '..' }],
    ['name', { name: '' }],
    ['size', { size: -1 }],
    ['size', { size: 5 * 1024 ** 3 + 1 }],
    ['size', { size: 1.5 }],
    ['type', { type: 'jpeg' }],
    ['type', { type: 'image/jpeg\r\nx: y' }],
    ['sha256', { sha256: 'ABC' }],
    ['destination', { destination: '' }],
    ['dedup', { dedup: 'everyone' }],
  ])('refuses a bad %s before anything is claimed', async (field, changes) => {
    const key = `bad-${JSON.stringify(changes).replace(/[^a-z0-9]/gi, '-')}`;
    const { status, json } = await uploader.announce(key, Buffer.alloc(1), changes);
    expect([status, json.code]).toEqual([400, 'request-invalid']);
    expect(JSON.stringify(json)).toContain(field);
    expect(await world.sql('select from hapax.operation where key = $1', key)).toEqual([]);
  });
});

describe('an upload that has no media worker', () => {
  let world: World;
  let uploader: Uploader;
  beforeAll(async () => {
    world = await World.create(inject('ground'));
    uploader = await Uploader.of(world);
  });
  afterAll(async () => {
    await uploader.close();
    await world.close();
  });

  const atThumbnails = async (key: string, bytes: Buffer): Promise<string> => {
    const announced = await uploader.announced(key, bytes, { type: 'image/png' });
    await uploader.send(announced, bytes);
    const waits = `select from hapax.step where operation_id = $1 and name = 'tidy' and state in ('sent', 'done')`;
    await world.until('placed', async () => (await world.sql(waits, announced.id)).length > 0);
    return announced.id;
  };

  it('and is cancelled before it is ready leaves nothing, except what another upload refers to', async () => {
    const picture = await sharp({ create: { width: 50, height: 50, channels: 3, background: 'green' } })
      .png()
      .toBuffer();
    const first = await atThumbnails('shared-1', picture);
    const second = await atThumbnails('shared-2', picture);
    const again = await uploader.announce('shared-2', picture, { type: 'image/png' });
    expect([again.status, again.json, again.headers.get('location')]).toEqual([
      202,
      { id: second, state: 'running' },
      `/v1/operations/${second}`,
    ]);
    expect(await uploader.rows(first, second)).toMatchObject({ content: [expect.any(String)], assets: 2 });
    await world.ask('POST', `/v1/operations/${first}/cancel`);
    expect((await uploader.settled(first)).json.state).toBe('cancelled');
    expect(await uploader.rows(first, second)).toMatchObject({ content: [expect.any(String)], assets: 1 });
    expect(await uploader.objects(first)).toHaveLength(1);
    await world.ask('POST', `/v1/operations/${second}/cancel`);
    expect((await uploader.settled(second)).json.state).toBe('cancelled');
    expect(await uploader.rows(first, second)).toEqual({ content: [], assets: 0 });
    expect([...(await uploader.objects(first)), ...(await uploader.objects(second))]).toEqual([]);
    expect(await world.sql('select from hapax.outbox')).toEqual([]);
  });
});

/** Sends without a Content-Length. */
async function sendChunked(url: string, bytes: Buffer): Promise<{ status: number; text: string }> {
  return await new Promise((resolve, reject) => {
    const sending = request(url, { method: 'PUT', headers: headersOf() }, (response) => {
      let text = '';
      response.on('data', (piece: Buffer) => (text += piece.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sending.on('error', reject);
    sending.write(bytes.subarray(0, 100));
    sending.end(bytes.subarray(100));
  });
}

/** Sends half of the bytes, then goes away without a word. */
async function sendHalf(url: string, bytes: Buffer): Promise<void> {
  const sending = request(url, { method: 'PUT', headers: { ...headersOf(), 'content-length': bytes.length } });
  sending.on('error', () => undefined);
  await new Promise<void>((resolve) => sending.write(bytes.subarray(0, bytes.length / 2), () => resolve()));
  await new Promise((resolve) => setTimeout(resolve, 200));
  sending.destroy();
}

/** Sends half of the bytes, does something, and sends the rest. @returns the status */
async function sendSlowly(url: string, bytes: Buffer, between: () => Promise<void>): Promise<number> {
  const sending = request(url, { method: 'PUT', headers: { ...headersOf(), 'content-length': bytes.length } });
  const answered = new Promise<number>((resolve, reject) => {
    sending.on('response', (response) => resolve(response.resume().statusCode ?? 0));
    sending.on('error', reject);
  });
  await new Promise<void>((resolve) => sending.write(bytes.subarray(0, bytes.length / 2), () => resolve()));
  await between();
  sending.end(bytes.subarray(bytes.length / 2));
  return await answered;
}

function headersOf(): Record<string, string> {
  return { authorization: 'Bearer local-alpha', 'content-type': 'application/octet-stream' };
}
