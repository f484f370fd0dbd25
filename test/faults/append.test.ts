import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { listMultiparts } from '../../activities/stores/s3/multipart/list-multiparts.ts';
import { uploadPrefix } from '../../activities/stores/s3/upload-keys.ts';
import { FaultyS3, type S3Fault } from '../support/faulty-s3.ts';
import { nothingLeft, placedOnce } from '../support/one-upload.ts';
import type { ProcessHandle } from '../support/process-handle.ts';
import { sha256, Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';
import { type PiecesOf, TusCaller } from '../uploads/tus-caller.ts';

const MiB = 1024 ** 2;
/** A sender may be silent for 30 s. Who has to wait for that waits longer than a busy machine takes. Milliseconds. */
const promptly = 10_000;

let world: World;
let uploader: Uploader;
let s3: FaultyS3;
let tus: TusCaller;
beforeAll(async () => {
  world = await World.create(inject('ground'), { workers: 0, doors: 0 });
  s3 = await FaultyS3.to(world.env.S3_ENDPOINT as string);
  const start = (script: string) => world.start(script, { S3_ENDPOINT: s3.url });
  const scripts = ['workers/http.ts', 'workers/http.ts', 'workers/operations.ts', 'workers/media.ts'];
  const [one, other] = await Promise.all(scripts.map(start));
  world.doors.push(one ?? expect.unreachable(), other ?? expect.unreachable());
  uploader = await Uploader.of(world);
  tus = new TusCaller(world);
});
afterAll(async () => {
  await uploader.close();
  await world.close();
  await s3.close();
});

/** A body that its sender stops in the middle of, with the connection left open. */
class StalledBody {
  readonly #sent: ReturnType<typeof request>;
  readonly status: Promise<number>;

  constructor({ address }: ProcessHandle, { path }: PiecesOf, offset: number, length: number) {
    this.#sent = request(`${address}${path}`, {
      method: 'PATCH',
      agent: new Agent(),
      headers: {
        authorization: 'Bearer local-alpha',
        'tus-resumable': '1.0.0',
        'upload-offset': offset,
        'content-type': 'application/offset+octet-stream',
        'content-length': length,
      },
    });
    this.status = new Promise((resolve) => {
      this.#sent.once('response', (answer) => resolve(answer.resume().statusCode ?? 0));
      this.#sent.once('error', () => resolve(0));
    });
  }

  async write(bytes: Buffer): Promise<void> {
    await new Promise<void>((resolve, reject) =>
      this.#sent.write(bytes, (error) => (error ? reject(error) : resolve())),
    );
  }

  end(bytes: Buffer): void {
    this.#sent.end(bytes);
  }

  cut(): void {
    this.#sent.destroy();
  }
}

const received = async (id: string): Promise<number> => {
  const [row] = await world.sql<{ received: string }>(
    'select received from hapax.upload_session where operation_id = $1',
    id,
  );
  return Number(row?.received ?? 0);
};

const isWriting = async (id: string): Promise<boolean> =>
  (await world.sql('select from hapax.upload_session where operation_id = $1 and writing', id)).length === 1;

async function goesOn(upload: PiecesOf, bytes: Buffer, door = 1): Promise<number> {
  const looked = await tus.head(upload, {}, door);
  expect(looked.status, looked.text).toBe(200);
  const offset = Number(looked.headers.get('upload-offset'));
  if (offset < bytes.length) {
    const sent = await tus.patch(upload, offset, bytes.subarray(offset), {}, door);
    expect([sent.status, sent.headers.get('upload-offset')], sent.text).toEqual([204, `${bytes.length}`]);
  }
  await uploader.ended(upload.id);
  await placedOnce(uploader, upload.id, bytes);
  return offset;
}

describe('bytes that stop', () => {
  it('with their connection are kept, however many there are', async () => {
    const bytes = randomBytes(30 * MiB);
    const upload = await tus.created('cut', bytes.length);
    const cuts = [100, 70_000, 3 * MiB, 9 * MiB, 29 * MiB];
    for (const [n, end] of cuts.entries()) {
      const at = await received(upload.id);
      const body = new StalledBody(world.doors[n % 2] as ProcessHandle, upload, at, bytes.length - at);
      await body.write(bytes.subarray(at, end));
      // A request that is cut before it is looked at leaves nothing, and may.
      await world.until('its bytes are being taken', () => isWriting(upload.id));
      body.cut();
      await world.until(`${end} bytes are kept after ${at}`, async () => (await received(upload.id)) === end);
    }
    expect(await goesOn(upload, bytes)).toBe(29 * MiB);
    expect(s3.count('GetObject', `${upload.id}/parts`)).toBe(0);
  });

  it.each([0, 1])('and leave their connection open hold nobody up: through process %i', async (door) => {
    const bytes = randomBytes(20 * MiB);
    const upload = await tus.created(`hung ${door}`, bytes.length);
    const hung = new StalledBody(world.doors[0] as ProcessHandle, upload, 0, bytes.length);
    await hung.write(bytes.subarray(0, 9 * MiB));
    await world.until('its bytes are being taken', () => isWriting(upload.id));
    const asked = performance.now();
    const { headers } = await tus.head(upload, {}, door);
    const offset = Number(headers.get('upload-offset'));
    const sent = await tus.patch(upload, offset, bytes.subarray(offset, offset + 1_000), {}, door);
    const took = performance.now() - asked;
    expect([sent.status, sent.headers.get('upload-offset')]).toEqual([204, `${offset + 1_000}`]);
    expect(took).toBeLessThan(promptly);
    // What the former writer still gets changes nothing.
    hung.end(bytes.subarray(9 * MiB));
    expect([409, 0]).toContain(await hung.status);
    await goesOn(upload, bytes, door);
  });
});

it('a body that was taken over is told so, whatever becomes of its bytes in the store', async () => {
  const bytes = randomBytes(18 * MiB);
  const upload = await tus.created('late failure', bytes.length);
  const gone = { status: 500, code: 'InternalError', done: true, held: true };
  const outage = s3.fail(gone, ['UploadPart'], upload.id, 1);
  const first = tus.patch(upload, 0, bytes.subarray(0, 9 * MiB));
  await world.until('its part is held', async () => outage.done === 1);
  // A body that comes slowly, as on a busy machine, has had smaller pieces acknowledged before its first part.
  const kept = await received(upload.id);
  expect(kept).toBeLessThan(9 * MiB);
  expect(await goesOn(upload, bytes)).toBe(kept);
  outage.end();
  expect((await first).status).toBe(409);
});

describe('a process', () => {
  it('that dies with SIGKILL loses no byte that was acknowledged', async () => {
    const bytes = randomBytes(40 * MiB);
    const victim = await world.start('workers/http.ts', { S3_ENDPOINT: s3.url });
    const upload = await tus.created('killed', bytes.length);
    expect((await tus.patch(upload, 0, bytes.subarray(0, 6 * MiB))).status).toBe(204);
    const body = new StalledBody(victim, upload, 6 * MiB, bytes.length - 6 * MiB);
    await body.write(bytes.subarray(6 * MiB, 30 * MiB));
    const kept = await world.until('a piece is kept', async () => {
      const now = await received(upload.id);
      return now > 6 * MiB && now;
    });
    await victim.kill();
    expect(await body.status).toBe(0);
    expect(await goesOn(upload, bytes)).toBeGreaterThanOrEqual(kept);
  });

  it.each(['CreateMultipartUpload', 'UploadPart', 'PutObject'] as const)(
    'that dies once the store has answered its %s leaves nothing that counts twice',
    async (call) => {
      const bytes = randomBytes(12 * MiB);
      const victim = await world.start('workers/http.ts', { S3_ENDPOINT: s3.url });
      const upload = await tus.created(`killed at ${call}`, bytes.length);
      if (call === 'PutObject') await tus.patch(upload, 0, bytes.subarray(0, 10));
      const held = s3.fail('answer-held', [call], upload.id);
      const end = call === 'PutObject' ? 400_000 : 11 * MiB;
      const from = await received(upload.id);
      const body = new StalledBody(victim, upload, from, end - from);
      body.end(bytes.subarray(from, end));
      await world.until('the store has done it', () => Promise.resolve(held.done > 0));
      await victim.kill();
      held.end();
      // A body that comes slowly has had smaller pieces acknowledged before. What the store holds is not.
      const kept = await received(upload.id);
      expect(kept).toBeLessThan(end);
      expect(await goesOn(upload, bytes)).toBe(kept);
      expect(await listMultiparts(uploader.store, uploadPrefix(upload.id))).toEqual([]);
    },
  );

  it('that is frozen in the middle of a part and thaws later changes nothing', async () => {
    const bytes = randomBytes(24 * MiB);
    const frozen = await world.start('workers/http.ts', { S3_ENDPOINT: s3.url });
    const upload = await tus.created('thawed', bytes.length);
    expect((await tus.patch(upload, 0, bytes.subarray(0, 6 * MiB))).status).toBe(204);
    const wrong = randomBytes(18 * MiB);
    // The store answers none of it: however fast the bytes come, no piece of them is acknowledged before the freeze.
    const held = s3.fail('answer-held', ['UploadPart', 'PutObject'], upload.id, 1);
    const body = new StalledBody(frozen, upload, 6 * MiB, wrong.length);
    body.write(wrong.subarray(0, 7 * MiB)).catch(() => undefined);
    await world.until('a piece is on its way to the store', async () => held.met === 1);
    frozen.signal('SIGSTOP');
    body.end(wrong.subarray(7 * MiB));
    const offset = Number((await tus.head(upload, {}, 1)).headers.get('upload-offset'));
    expect(offset).toBe(6 * MiB);
    expect((await tus.patch(upload, offset, bytes.subarray(offset, 15 * MiB), {}, 1)).status).toBe(204);
    held.end();
    frozen.signal('SIGCONT');
    expect([409, 0]).toContain(await body.status);
    expect(await goesOn(upload, bytes)).toBe(15 * MiB);
  });
});

/** An upload all of whose bytes are there, in two parts. */
async function inTwoParts(key: string, bytes: Buffer): Promise<PiecesOf> {
  const upload = await tus.created(key, bytes.length);
  expect((await tus.patch(upload, 0, bytes.subarray(0, 6 * MiB))).status).toBe(204);
  return upload;
}

describe('putting the pieces together', () => {
  it.each<{ says: string; fault: S3Fault; times: number }>([
    { says: 'is refused with 409', fault: { status: 409, code: 'ConditionalRequestConflict', done: false }, times: 1 },
    { says: 'is done, and 412 is told', fault: { status: 412, code: 'PreconditionFailed', done: true }, times: 1 },
    { says: 'fails in the body of a 200', fault: { status: 200, code: 'InternalError', done: false }, times: 1 },
    {
      says: 'is done, and fails in the body of a 200',
      fault: { status: 200, code: 'InternalError', done: true },
      times: 1,
    },
    { says: 'is done, and no such upload is told', fault: { status: 404, code: 'NoSuchUpload', done: true }, times: 1 },
    { says: 'is done, and its answer is lost', fault: 'answer-lost', times: 2 },
    { says: 'meets a store that is busy', fault: 'refused', times: 3 },
  ])('makes one file when the store’s Complete $says', async ({ says, fault, times }) => {
    const bytes = randomBytes(7 * MiB);
    const upload = await inTwoParts(says.replaceAll(',', ''), bytes);
    const outage = s3.fail(fault, ['CompleteMultipartUpload'], upload.id, times);
    await goesOn(upload, bytes);
    expect(outage.met).toBeGreaterThan(0);
  });

  it('ends an upload whose parts somebody has removed, and its key begins anew', async () => {
    const bytes = randomBytes(7 * MiB);
    const upload = await inTwoParts('aborted behind us', bytes);
    const held = s3.fail({ status: 404, code: 'NoSuchUpload', done: false }, ['CompleteMultipartUpload'], upload.id);
    expect((await tus.patch(upload, 6 * MiB, bytes.subarray(6 * MiB))).status).toBe(204);
    const { json } = await uploader.settled(upload.id);
    held.end();
    expect([json.state, json.problem.code, json.problem.retryable]).toEqual(['refused', 'bytes-missing', true]);
    await nothingLeft(uploader, upload.id);
    expect((await tus.head(upload)).status).toBe(410);
    const again = await tus.created('aborted behind us', bytes.length);
    expect(again.id).not.toBe(upload.id);
    expect(await goesOn(again, bytes)).toBe(0);
  });

  it('ends an upload whose pieces are gone when the next ones come, and its key begins anew', async () => {
    const bytes = randomBytes(13 * MiB);
    const upload = await inTwoParts('gone meanwhile', bytes);
    const gone = s3.fail(
      { status: 404, code: 'NoSuchUpload', done: false },
      ['UploadPart', 'CompleteMultipartUpload'],
      upload.id,
    );
    const { status, json } = await tus.patch(upload, 6 * MiB, bytes.subarray(6 * MiB, 12 * MiB));
    expect([status, json.code]).toEqual([410, 'bytes-missing']);
    await uploader.ended(upload.id);
    gone.end();
    expect(await world.state(upload.id)).toBe('refused');
    await nothingLeft(uploader, upload.id);
    expect(await goesOn(await tus.created('gone meanwhile', bytes.length), bytes)).toBe(0);
  });

  it('reads no byte back that came in order, and all of them once where another build has saved the hash', async () => {
    const bytes = randomBytes(12 * MiB);
    const [one, other] = [await inTwoParts('read never', bytes), await inTwoParts('read once', bytes)];
    await world.sql(`update hapax.upload_session set hash_tag = 'another build' where operation_id = $1`, other.id);
    for (const upload of [one, other]) {
      expect((await tus.patch(upload, 6 * MiB, bytes.subarray(6 * MiB))).status).toBe(204);
      expect((await uploader.settled(upload.id)).json).toMatchObject({
        state: 'succeeded',
        result: { sha256: sha256(bytes) },
      });
    }
    expect([s3.count('GetObject', `uploads/${one.id}/`), s3.count('GetObject', `uploads/${other.id}/`)]).toEqual([
      0, 1,
    ]);
  });
});

describe('the last byte', () => {
  it('that was stored by a process which died before it could say so is found at the deadline', async () => {
    const bytes = randomBytes(7 * MiB);
    const upload = await inTwoParts('never said', bytes);
    const rest = bytes.subarray(6 * MiB);
    // As the process leaves it: the piece is acknowledged, and the wait has not heard of it.
    await world.sql('alter table hapax.awaited add constraint nothing_arrives check (false) not valid');
    expect((await tus.patch(upload, 6 * MiB, rest)).status).toBeGreaterThanOrEqual(500);
    await world.sql('alter table hapax.awaited drop constraint nothing_arrives');
    expect(await received(upload.id)).toBe(bytes.length);
    await uploader.expire(upload.id);
    await uploader.ended(upload.id);
    await placedOnce(uploader, upload.id, bytes);
  });

  it('is taken once when it comes a hundred times at once', async () => {
    const bytes = randomBytes(7 * MiB);
    const upload = await inTwoParts('a hundred', bytes);
    const rest = bytes.subarray(6 * MiB);
    const sent = await Promise.all(Array.from({ length: 100 }, (_, n) => tus.patch(upload, 6 * MiB, rest, {}, n % 2)));
    // All hundred want one row. On a slow machine the last of them wait longer than a statement may: 503, ask again.
    for (const { status, text } of sent) expect([204, 409, 429, 503], text).toContain(status);
    await goesOn(upload, bytes);
  });

  it.each(['cancel', 'expiry'])('and a %s leave a file or nothing', async (end) => {
    const bytes = randomBytes(7 * MiB);
    for (let n = 0; n < 4; n += 1) {
      const upload = await inTwoParts(`${end} ${n}`, bytes);
      const ending = end === 'cancel' ? tus.delete(upload, {}, 1) : uploader.expire(upload.id);
      await Promise.all([tus.patch(upload, 6 * MiB, bytes.subarray(6 * MiB)), ending]);
      await uploader.ended(upload.id);
      if ((await world.state(upload.id)) === 'succeeded') await placedOnce(uploader, upload.id, bytes);
      else await nothingLeft(uploader, upload.id);
    }
  });
});
