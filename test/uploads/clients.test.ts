import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListPartsCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { Upload, type UploadOptions } from 'tus-js-client';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { FaultyLine } from '../support/faulty-line.ts';
import { placedOnce } from '../support/one-upload.ts';
import { sha256, Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';

const MiB = 1024 ** 2;
const run = promisify(execFile);

let world: World;
let uploader: Uploader;
/** The address that clients know, behind which processes come and go. */
let front: FaultyLine;
beforeAll(async () => {
  world = await World.create(inject('ground'), { doors: 2, media: true });
  uploader = await Uploader.of(world);
  front = await FaultyLine.to(world.doors[0]?.address ?? expect.unreachable());
});
afterAll(async () => {
  await front.close();
  await uploader.close();
  await world.close();
});

const addressOf = (): string => front.url.replace(/\/$/, '');

/** Kills the process behind the address, and puts another one there. */
async function killTheDoor(): Promise<void> {
  const victim = await world.start('workers/http.ts');
  front.turnTo(victim.address);
  await victim.kill();
  front.turnTo(world.doors[1]?.address ?? expect.unreachable());
}

const idOf = (url: string | null | undefined): string => url?.split('/').at(-1) ?? '';

describe('tus-js-client', () => {
  type Protocol = 'tus-v1' | 'ietf-draft-03' | 'ietf-draft-05';
  type Run = { readonly upload: Upload; readonly done: Promise<void> };

  function begin(key: string, bytes: Buffer, protocol: Protocol, more: Partial<UploadOptions> = {}): Run {
    const { promise: done, resolve, reject } = Promise.withResolvers<void>();
    const upload = new Upload(bytes, {
      endpoint: `${addressOf()}/v1/${protocol === 'tus-v1' ? 'tus' : 'resumable'}`,
      protocol,
      headers: { Authorization: 'Bearer local-alpha', 'Idempotency-Key': key },
      metadata: { filename: `${key}.bin`, filetype: 'application/octet-stream' },
      chunkSize: 8 * MiB,
      // What a process keeps of a cut body takes longer on a busy machine.
      retryDelays: [0, 100, 300, 1_000, 1_000, 3_000, 3_000, 3_000],
      onSuccess: () => resolve(),
      onError: reject,
      ...more,
    } as UploadOptions);
    upload.start();
    return { upload, done };
  }

  it.each<Protocol>(['tus-v1', 'ietf-draft-03', 'ietf-draft-05'])(
    'brings 50 MB by %s, though the process dies on the way',
    async (protocol) => {
      const bytes = randomBytes(50_000_000);
      let killed: Promise<void> | undefined;
      const { upload, done } = begin(`js ${protocol}`, bytes, protocol, {
        onChunkComplete: (_size, accepted) => {
          if (accepted > 10_000_000) killed ??= killTheDoor();
        },
      });
      await done;
      await killed;
      const id = idOf(upload.url);
      await uploader.ended(id);
      await placedOnce(uploader, id, bytes);
      expect(await world.sql('select from hapax.operation where key = $1', `js ${protocol}`)).toHaveLength(1);
    },
  );

  it('goes on by the key alone after it has lost everything else', async () => {
    const bytes = randomBytes(20_000_000);
    const reached = Promise.withResolvers<void>();
    const { upload } = begin('js refreshed', bytes, 'tus-v1', {
      chunkSize: 4 * MiB,
      onChunkComplete: (_size, accepted) => {
        if (accepted >= 8 * MiB) reached.resolve();
      },
    });
    await reached.promise;
    await upload.abort();
    const sent = world.sql<{ received: string }>(
      'select received from hapax.upload_session where operation_id = $1',
      idOf(upload.url),
    );
    expect(Number((await sent)[0]?.received)).toBeGreaterThanOrEqual(8 * MiB);
    // The page knows its key. The upload and its state are found by it.
    const found = await world.ask('GET', '/v1/uploads?key=js%20refreshed&state=open');
    const { transfer } = found.json.uploads[0];
    const offsets: number[] = [];
    const { done } = begin('js refreshed', bytes, 'tus-v1', {
      uploadUrl: transfer.url,
      onChunkComplete: (_size, accepted) => offsets.push(accepted),
    });
    await done;
    expect(offsets[0]).toBeGreaterThan(transfer.offset);
    await uploader.ended(found.json.uploads[0].id);
    await placedOnce(uploader, found.json.uploads[0].id, bytes);
  });

  it('is offline twenty times, and sends hardly anything twice', async () => {
    const bytes = randomBytes(60_000_000);
    const before = front.sent;
    let [offline, last] = [0, before];
    const cuts = setInterval(() => {
      if (offline === 20 || front.sent - last < 1_500_000) return;
      offline += 1;
      last = front.sent;
      front.turnTo(world.doors[offline % 2]?.address ?? expect.unreachable());
    }, 1);
    const { upload, done } = begin('js offline', bytes, 'tus-v1', { chunkSize: bytes.length });
    await done;
    clearInterval(cuts);
    expect(offline).toBe(20);
    // At most a part is lost each time, and the least that S3 takes for one has 5 MiB.
    expect(front.sent - before).toBeLessThan(bytes.length + 20 * 5 * MiB);
    await uploader.ended(idOf(upload.url));
    await placedOnce(uploader, idOf(upload.url), bytes);
  });

  it('sends parts of a file side by side, and it is one file', async () => {
    const bytes = randomBytes(24_000_000);
    const { upload, done } = begin('js parallel', bytes, 'tus-v1', { parallelUploads: 3 });
    await done;
    const id = idOf(upload.url);
    await uploader.ended(id);
    await placedOnce(uploader, id, bytes);
  });

  it('creates the upload with its first bytes, and one whose size it does not know', async () => {
    for (const [key, more] of [
      ['js eager', { uploadDataDuringCreation: true }],
      ['js deferred', { uploadLengthDeferred: true }],
    ] as const) {
      const bytes = randomBytes(9_000_000);
      const { upload, done } = begin(key, bytes, 'tus-v1', more);
      await done;
      await uploader.ended(idOf(upload.url));
      await placedOnce(uploader, idOf(upload.url), bytes);
    }
  });
});

describe('curl', () => {
  const curl = async (...args: string[]): Promise<string> =>
    (await run('curl', ['--silent', '--show-error', '--include', '-H', 'Authorization: Bearer local-alpha', ...args]))
      .stdout;
  const header = (text: string, name: string): string => new RegExp(`^${name}: (.+?)\\r?$`, 'im').exec(text)?.[1] ?? '';

  it('brings 50 MB by tus, and the rest of what was cut', async () => {
    const bytes = randomBytes(50_000_000);
    const file = join(world.directory, 'curl.bin');
    await writeFile(file, bytes);
    const tus = ['-H', 'Tus-Resumable: 1.0.0'];
    const created = await curl(
      '-X',
      'POST',
      ...tus,
      '-H',
      'Idempotency-Key: curl-tus',
      '-H',
      `Upload-Length: ${bytes.length}`,
      `${addressOf()}/v1/tus`,
    );
    const url = header(created, 'location');
    const patch = ['-X', 'PATCH', ...tus, '-H', 'Content-Type: application/offset+octet-stream'];
    const before = front.sent;
    front.swallowAfter(20_000_000);
    const cut = curl(...patch, '-H', 'Upload-Offset: 0', '--data-binary', `@${file}`, url).catch(() => undefined);
    await world.until('much of it is sent', async () => front.sent - before > 20_000_000);
    await killTheDoor();
    front.heal();
    await cut;
    const session = 'select received from hapax.upload_session where operation_id = $1 and received > 0';
    await world.until('what came is kept', async () => (await world.sql(session, idOf(url))).length > 0);
    const offset = Number(header(await curl('--head', ...tus, url), 'upload-offset'));
    expect(offset).toBeGreaterThan(0);
    expect(offset).toBeLessThan(bytes.length);
    await writeFile(file, bytes.subarray(offset));
    const sent = await curl(...patch, '-H', `Upload-Offset: ${offset}`, '--data-binary', `@${file}`, url);
    expect(header(sent, 'upload-offset')).toBe(`${bytes.length}`);
    await uploader.ended(idOf(url));
    await placedOnce(uploader, idOf(url), bytes);
  });

  it('brings a file by the draft of the IETF in one request, and is told early where to go on', async () => {
    const bytes = randomBytes(12_000_000);
    const file = join(world.directory, 'curl-ietf.bin');
    await writeFile(file, bytes);
    const sent = await curl(
      ...[
        '-X',
        'POST',
        '-H',
        'Idempotency-Key: curl-ietf',
        '-H',
        'Upload-Complete: ?1',
        '-H',
        'Upload-Draft-Interop-Version: 8',
      ],
      ...['-H', 'Content-Type: application/octet-stream', '-H', 'Content-Disposition: inline; filename="film.bin"'],
      ...['-H', `Repr-Digest: sha-256=:${Buffer.from(sha256(bytes), 'hex').toString('base64')}:`],
      ...['--data-binary', `@${file}`, `${addressOf()}/v1/resumable?destination=films`],
    );
    const [early = ''] = sent.split('\r\n\r\n').filter((part) => part.startsWith('HTTP/1.1 104'));
    expect(header(early, 'location')).toMatch(/\/v1\/resumable\/op_/);
    expect(header(early, 'upload-limit')).toMatch(/max-size=\d+, max-age=\d+/);
    expect(sent).toMatch(/HTTP\/1\.1 200 OK/);
    expect(header(sent.slice(sent.indexOf('HTTP/1.1 200')), 'upload-complete')).toBe('?1');
    const id = idOf(header(early, 'location'));
    expect((await uploader.settled(id)).json.result).toMatchObject({
      name: 'film.bin',
      destination: 'films',
      sha256: sha256(bytes),
    });
    await placedOnce(uploader, id, bytes);
  });
});

describe('the AWS SDK', () => {
  it('creates, lists, completes and aborts multipart uploads, and parts go to their signed addresses', async () => {
    const bytes = randomBytes(50_000_000);
    const client = new S3Client({
      ...{
        endpoint: `${addressOf()}/v1/s3`,
        region: 'none',
        forcePathStyle: true,
        credentials: { accessKeyId: 'none', secretAccessKey: 'none' },
      },
      signer: {
        sign: (request: { headers: Record<string, string> }) =>
          Promise.resolve({ ...request, headers: { ...request.headers, authorization: 'Bearer local-alpha' } }),
      } as never,
    });
    const object = { Bucket: 'films', Key: 'sdk.bin' };
    const Metadata = { size: `${bytes.length}`, name: 'sdk.bin' };
    const create = async () =>
      await client.send(
        new CreateMultipartUploadCommand({ ...object, Metadata, ContentType: 'application/octet-stream' }),
      );
    const { UploadId = '' } = await create();
    expect((await create()).UploadId).toBe(UploadId);
    const pieces = Array.from({ length: 6 }, (_, n) => bytes.subarray(n * 9_000_000, (n + 1) * 9_000_000));
    const send = async (numbers: readonly number[]): Promise<void> => {
      const wanted = numbers.map((number) => ({ number, sha256: sha256(pieces[number - 1] ?? Buffer.alloc(0)) }));
      const { json } = await world.ask('POST', `/v1/uploads/${UploadId}/parts`, { body: { parts: wanted } });
      for (const { number, url, headers } of json.parts as {
        number: number;
        url: string;
        headers: Record<string, string>;
      }[]) {
        const sent = await world.ask('PUT', url, { token: null, headers, body: pieces[number - 1] });
        expect(sent.status, sent.text).toBe(200);
      }
    };
    await send([1, 2, 5]);
    await killTheDoor();
    const { Parts = [] } = await client.send(new ListPartsCommand({ ...object, UploadId }));
    expect(Parts.map(({ PartNumber }) => PartNumber)).toEqual([1, 2, 5]);
    await send([3, 4, 6]);
    const listed = await client.send(new ListPartsCommand({ ...object, UploadId }));
    const parts = listed.Parts?.map(({ PartNumber, ETag }) => ({ PartNumber, ETag }));
    const complete = new CompleteMultipartUploadCommand({ ...object, UploadId, MultipartUpload: { Parts: parts } });
    expect((await client.send(complete)).Location).toMatch(new RegExp(`/v1/uploads/${UploadId}$`));
    await uploader.ended(UploadId);
    await placedOnce(uploader, UploadId, bytes);

    const other = await client.send(new CreateMultipartUploadCommand({ Bucket: 'films', Key: 'other.bin' }));
    await client.send(new AbortMultipartUploadCommand({ Bucket: 'films', Key: 'other.bin', UploadId: other.UploadId }));
    await uploader.ended(other.UploadId ?? '');
    expect(await world.state(other.UploadId ?? '')).toBe('cancelled');
    client.destroy();
  });
});
