import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { clientClass } from '../../client/http/protocol/client-class.ts';
import { thisClient } from '../../sdk/this-client.ts';
import { sha256, Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';
import { TusCaller } from './tus-caller.ts';

let world: World;
let uploader: Uploader;
let tus: TusCaller;
beforeAll(async () => {
  world = await World.create(inject('ground'), { media: true });
  uploader = await Uploader.of(world);
  tus = new TusCaller(world);
});
afterAll(async () => {
  await uploader.close();
  await world.close();
});

const told = { 'hapax-client': 'browser=firefox, device=mobile, network=4g' };
const chrome = '"Chromium";v="130", "Google Chrome";v="130", "Not?A_Brand";v="99"';
const plain = { 'content-type': 'application/octet-stream' };
const unknown = { browser: 'unknown', device: 'unknown', network: 'unknown' };

const figure = async (name: string, labels: Record<string, string>): Promise<number> => {
  const { text } = await world.ask('GET', '/metrics');
  const line = text
    .split('\n')
    .find((one) => one.startsWith(`${name}{`) && Object.entries(labels).every(([k, v]) => one.includes(`${k}="${v}"`)));
  return Number(line?.split(' ').at(-1) ?? 0);
};

describe('the kind of a client', () => {
  it.each([
    [told, { browser: 'firefox', device: 'mobile', network: '4g' }],
    [
      { 'sec-ch-ua': chrome, 'sec-ch-ua-mobile': '?0', ect: '3g' },
      { browser: 'chrome', device: 'desktop', network: '3g' },
    ],
    [
      { ...told, 'sec-ch-ua': chrome },
      { browser: 'firefox', device: 'mobile', network: '4g' },
    ],
    [{ 'sec-ch-ua': '"Ann’s own browser";v="1"' }, { ...unknown, browser: 'other' }],
    [
      { 'hapax-client': 'browser=ann@example.org, device, network=' },
      { browser: 'other', device: 'unknown', network: 'other' },
    ],
    [{ 'hapax-client': ';;=,,'.repeat(1_000) }, unknown],
    [{ 'user-agent': 'Mozilla/5.0 (Ann’s phone)' }, unknown],
  ])('is told by %o in words of a short list', (headers, words) => {
    expect(clientClass(headers)).toEqual(words);
  });

  it.each([
    ['Mozilla/5.0 (iPhone) AppleWebKit/605 Version/18.0 Mobile/15E148 Safari/604', 'browser=safari, device=mobile'],
    ['Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0 Safari/537.36', 'browser=chrome, device=desktop'],
    ['Mozilla/5.0 (Windows NT 10.0) Chrome/130.0 Safari/537.36 Edg/130.0', 'browser=edge, device=desktop'],
    ['Mozilla/5.0 (Android 15; Tablet) Gecko/130.0 Firefox/130.0', 'browser=firefox, device=tablet'],
  ])('is said by the set-up for Uppy: %s', (userAgent, says) => {
    expect(thisClient({ userAgent })).toBe(says);
    expect(thisClient({ userAgent, connection: { effectiveType: '3g' } })).toBe(`${says}, network=3g`);
  });

  it('is kept with each attempt to begin, and counted with each body', async () => {
    const bytes = randomBytes(1_000);
    const kept = { method: 'tus', ended: 'kept', browser: 'firefox', device: 'mobile', network: '4g' };
    const refused = { ...kept, ended: 'refused' };
    const upload = await tus.created('told', bytes.length, told);
    await tus.create('told', { 'upload-length': `${bytes.length}`, 'sec-ch-ua-mobile': '?1' });
    const begun = { ...kept, device: 'tablet' };
    const words = { 'hapax-client': 'browser=firefox, device=tablet, network=4g' };
    await tus.create('told with bytes', { 'upload-length': '10', ...words }, randomBytes(10));
    await tus.create('told without bytes', { 'upload-length': '10', ...words });
    // A body is counted behind its answer.
    await expect.poll(() => figure('hapax_upload_bodies_total', begun)).toBe(1);
    await tus.patch(upload, 7, bytes.subarray(7), told);
    await tus.patch(upload, 0, bytes, told);
    await uploader.ended(upload.id);
    await expect
      .poll(async () => [
        await figure('hapax_upload_bodies_total', kept),
        await figure('hapax_upload_bodies_total', refused),
      ])
      .toEqual([1, 1]);
    const arrivals = await world.until('the attempts are recorded', async () => {
      const rows = await world.sql(
        'select browser, device, network from hapax.arrival where operation_id = $1 order by at, id',
        upload.id,
      );
      return rows.length === 2 && rows;
    });
    expect(arrivals).toEqual([
      { browser: 'firefox', device: 'mobile', network: '4g' },
      { browser: 'unknown', device: 'mobile', network: 'unknown' },
    ]);
  });
});

describe('a chunk', () => {
  it('has one id in the API and in rows, and a retry has the same', async () => {
    const bytes = randomBytes(3_000);
    const upload = await tus.created('chunks', bytes.length);
    const ids: (string | null)[] = [];
    for (const [offset, end] of [
      [0, 1_000],
      [0, 1_000],
      [1_000, 2_000],
    ] as const) {
      const sent = await tus.patch(upload, offset, bytes.subarray(offset, end));
      ids.push(sent.headers.get('hapax-chunk-id'));
    }
    expect(ids).toEqual([`${upload.id}.0`, `${upload.id}.0`, `${upload.id}.1000`]);
    const { json } = await world.ask('GET', `/v1/uploads/${upload.id}`);
    expect([json.transfer.offset, json.transfer.chunk]).toEqual([2_000, `${upload.id}.2000`]);
    expect(await world.sql('select id from hapax.upload_piece where operation_id = $1 order by at', upload.id)).toEqual(
      [{ id: `${upload.id}.0` }, { id: `${upload.id}.1000` }],
    );
  });

  it.each(['%0A', '%E2%82%AC', '..%2F'])('has none where the path is no id: %s', async (id) => {
    for (const token of ['local-alpha', null]) {
      const { status, headers, json } = await world.ask('PUT', `/v1/uploads/${id}/content`, {
        token,
        body: randomBytes(3),
        headers: plain,
      });
      expect([status, headers.get('content-type')]).toEqual([
        token === null ? 401 : 400,
        'application/problem+json; charset=utf-8',
      ]);
      expect([json.code, headers.get('hapax-chunk-id')]).toEqual([
        token === null ? 'unauthenticated' : 'request-invalid',
        null,
      ]);
    }
  });

  it('that goes straight to the object store has one as well', async () => {
    const bytes = randomBytes(9 * 1024 ** 2);
    const { json } = await uploader.announce('part ids', bytes, { transfer: 'multipart', sha256: sha256(bytes) });
    const ids = (json.transfer.parts as { id: string }[]).map(({ id }) => id);
    expect(ids).toEqual([`${json.id}.part-1`, `${json.id}.part-2`]);
    for (const part of json.transfer.parts as {
      method: string;
      url: string;
      headers: object;
      offset: number;
      size: number;
    }[])
      await world.ask(part.method, part.url, {
        token: null,
        headers: { ...part.headers },
        body: bytes.subarray(part.offset, part.offset + part.size),
      });
    const again = await world.ask('GET', `/v1/uploads/${json.id}`);
    expect((again.json.transfer.arrived as { id: string }[]).map(({ id }) => id)).toEqual(ids);
  });
});

describe('bytes that are not what they should be', () => {
  const counted = async (cause: string) => await figure('hapax_integrity_failures_total', { cause });

  it.each([
    ['protocol', async (id: string) => await tus.patch({ id, path: `/v1/tus/${id}` }, 7, randomBytes(10)), {}],
    [
      'part-checksum',
      async (id: string) =>
        await tus.patch({ id, path: `/v1/tus/${id}` }, 0, randomBytes(10), {
          'upload-checksum': `sha256 ${Buffer.from(sha256(Buffer.from('other')), 'hex').toString('base64')}`,
        }),
      {},
    ],
    [
      'proxy',
      async (id: string) =>
        await tus.patch({ id, path: `/v1/tus/${id}` }, 0, randomBytes(10), {
          via: '1.1 some-proxy',
          'upload-checksum': `sha256 ${Buffer.from(sha256(Buffer.from('other')), 'hex').toString('base64')}`,
        }),
      {},
    ],
    [
      'size',
      async (id: string) =>
        await world.ask('PUT', `/v1/uploads/${id}/content`, { body: randomBytes(9), headers: plain }),
      {},
    ],
    [
      'whole-hash',
      async (id: string) =>
        await world.ask('PUT', `/v1/uploads/${id}/content`, { body: randomBytes(10), headers: plain }),
      { sha256: sha256(Buffer.from('other')) },
    ],
  ])('are told and counted as %s', async (cause, send, more) => {
    const before = await counted(cause);
    const { id } = await uploader.announced(`wrong ${cause}`, randomBytes(10), more);
    const { json, text } = await send(id);
    expect(json.cause, text).toBe(cause);
    await expect.poll(() => counted(cause)).toBe(before + 1);
  });

  it('are told so as well where it is found later, by the worker', async () => {
    const { json } = await uploader.upload('no picture', Buffer.from('%PDF-1.7 no picture'), { type: 'image/png' });
    expect([json.problem.code, json.problem.cause]).toEqual(['type-mismatch', 'type']);
  });
});
