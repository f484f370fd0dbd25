import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { deleteObject } from '../../activities/stores/s3/delete-object.ts';
import { raceForTheLast } from '../support/asset-races.ts';
import { typeFiles } from '../support/type-files.ts';
import { picture } from '../support/upload-lane.ts';
import { sha256, Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';

const declared = {
  destinations: [
    { name: 'brief', restorableDays: 0 },
    { name: 'private', readers: 'subject' },
  ],
};

let world: World;
let uploader: Uploader;
beforeAll(async () => {
  world = await World.create(inject('ground'), {
    ...{ media: true, upkeep: false },
    env: { HAPAX_DESTINATIONS: JSON.stringify(declared) },
  });
  uploader = await Uploader.of(world);
});
afterAll(async () => {
  await uploader.close();
  await world.close();
});

/** @returns the id of the asset that an upload has become */
async function placed(key: string, bytes: Uint8Array, changes: object = {}): Promise<string> {
  const { json } = await uploader.upload(key, bytes, changes);
  expect(json.state, JSON.stringify(json)).toBe('succeeded');
  return json.result.assetId as string;
}

const look = async (id: string, ask = {}) => await world.ask('GET', `/v1/assets/${id}`, ask);
const content = async (id: string, headers: Record<string, string> = {}, query = '') =>
  await fetch(`${world.doors[0]?.address}/v1/assets/${id}/content${query}`, {
    headers: { authorization: 'Bearer local-alpha', ...headers },
  });

describe('an asset', () => {
  it('tells what it is, why that is believed, and what was made of it', async () => {
    const bytes = await picture();
    const id = await placed('a picture', bytes, { type: 'image/png', name: 'Grüße "1".png' });
    const { status, json } = await look(id);
    expect([status, json]).toMatchObject([
      200,
      {
        ...{ id, state: 'ready', name: 'Grüße "1".png', type: 'image/png', size: bytes.length, sha256: sha256(bytes) },
        evidence: { declared: 'image/png', shown: 'image/png', by: 'signature', verdict: 'shown' },
        derivatives: [{ name: 'thumbnails', state: 'done' }],
      },
    ]);
    const small = json.derivatives[0].files[0];
    const got = await fetch(small.download.url);
    expect([got.status, got.headers.get('content-type')]).toEqual([200, 'image/webp']);
    expect((await got.arrayBuffer()).byteLength).toBe(small.size);
    const direct = await fetch(json.download.url);
    expect(direct.headers.get('content-disposition')).toMatch(/^attachment; filename=/);
    expect(Buffer.from(await direct.arrayBuffer()).equals(bytes)).toBe(true);
  });

  it('says why a derivative is not there', async () => {
    const id = await placed('no thumbnails', typeFiles.heic, { type: 'image/heic' });
    const [one] = (await look(id)).json.derivatives;
    expect(one).toMatchObject({ name: 'thumbnails', state: 'failed', code: 'content-undecodable' });
    expect(one.detail).toContain('no decoder for image/heic');
  });

  const bytes = Buffer.from('0123456789abcdefghij');
  it.each([
    ['bytes=0-4', 206, '01234', 'bytes 0-4/20'],
    ['bytes=-5', 206, 'fghij', 'bytes 15-19/20'],
    ['bytes=15-', 206, 'fghij', 'bytes 15-19/20'],
    ['bytes=19-19', 206, 'j', 'bytes 19-19/20'],
    ['bytes=5-500', 206, '56789abcdefghij', 'bytes 5-19/20'],
    ['bytes=20-', 416, undefined, 'bytes */20'],
    ['bytes=0-1,5-6', 200, bytes.toString(), null],
    ['bytes=5-1', 416, undefined, 'bytes */20'],
    ['bytes=x', 200, bytes.toString(), null],
    ['lines=0-1', 200, bytes.toString(), null],
  ])('is downloaded in parts: %s', async (range, status, text, named) => {
    const id = await placed(`parts ${range.replaceAll(',', ' and ')}`, bytes);
    const got = await content(id, { range });
    const body = await got.text();
    expect([got.status, got.headers.get('content-range')]).toEqual([status, named]);
    if (text === undefined) expect(JSON.parse(body)).toMatchObject({ code: 'range-unsatisfiable' });
    else expect([body, got.headers.get('content-length')]).toEqual([text, `${text.length}`]);
  });

  it('is not sent to who has it, and its parts only if they are of the same bytes', async () => {
    const id = await placed('known', bytes);
    const etag = `"${sha256(bytes)}"`;
    const known = await content(id, { 'if-none-match': `"other", W/${etag}` });
    expect([known.status, await known.text()]).toEqual([304, '']);
    expect((await content(id, { range: 'bytes=0-4', 'if-range': etag })).status).toBe(206);
    expect((await content(id, { range: 'bytes=0-4', 'if-range': '"other"' })).status).toBe(200);
    const head = await fetch(`${world.doors[0]?.address}/v1/assets/${id}/content`, {
      method: 'HEAD',
      headers: { authorization: 'Bearer local-alpha' },
    });
    expect([head.status, head.headers.get('content-length'), head.headers.get('etag')]).toEqual([200, '20', etag]);
    const nothing = await content(await placed('nothing', Buffer.alloc(0)));
    expect([nothing.status, await nothing.text()]).toEqual([200, '']);
  });

  it.each([
    ['html', 'text/html', 'attachment'],
    ['svg', 'image/svg+xml', 'attachment'],
    ['pdf', 'application/pdf', 'attachment'],
    ['png', 'image/png', 'inline'],
    ['noise', 'image/png', 'attachment'],
  ] as const)('of %s as %s is shown in place only where nothing can run: %s', async (file, type, expected) => {
    const id = await placed(`inline ${file}`, typeFiles[file], { type, name: 'a "quoted" näme' });
    const { headers } = await content(id, {}, '?disposition=inline');
    expect(headers.get('content-disposition')).toMatch(new RegExp(`^${expected}; filename=`));
    expect(headers.get('content-disposition')).toContain("filename*=UTF-8''a%20%22quoted%22%20n%C3%A4me");
    expect([headers.get('x-content-type-options'), headers.get('content-type')]).toEqual(['nosniff', type]);
    expect(headers.get('content-security-policy')).toContain('sandbox');
    expect((await content(id)).headers.get('content-disposition')).toMatch(/^attachment/);
  });

  it('is there for its tenant, or by policy for its subject alone; only its subject deletes it', async () => {
    const [open, own] = [
      await placed('for all', randomBytes(9)),
      await placed('for one', randomBytes(9), { destination: 'private' }),
    ];
    const seen = async (id: string, token: string) => (await look(id, { token })).status;
    expect([await seen(open, 'local-alpha.ann'), await seen(own, 'local-alpha.ann')]).toEqual([200, 404]);
    expect([await seen(open, 'local-beta'), await seen(own, 'local-beta')]).toEqual([404, 404]);
    expect([await seen(open, 'live-alpha'), await seen(own, 'operator-alpha')]).toEqual([404, 200]);
    const remove = async (id: string, token: string) =>
      (await world.ask('DELETE', `/v1/assets/${id}`, { token })).status;
    expect([await remove(open, 'local-alpha.ann'), await remove(own, 'local-alpha.ann')]).toEqual([403, 404]);
    expect(await remove(open, 'local-beta')).toBe(404);
    // A later declaration opens nothing.
    const later = await world.start('workers/http.ts', { HAPAX_DESTINATIONS: '{}' });
    const door = world.doors.push(later) - 1;
    expect((await look(own, { token: 'local-alpha.ann', door })).status).toBe(404);
    expect((await look(own, { door })).status).toBe(200);
    expect((await look(open)).json.state).toBe('ready');
  });

  it('is deleted once, restored once, and leaves its place meanwhile', async () => {
    const deed = { name: 'deed.txt', whenSame: 'refuse', type: 'text/plain' };
    const id = await placed('deed 1', bytes, deed);
    const twice = [await world.ask('DELETE', `/v1/assets/${id}`), await world.ask('DELETE', `/v1/assets/${id}`)];
    const [first, second] = twice.map(({ status, json }) => ({
      status,
      state: json.state,
      until: json.restorableUntil,
    }));
    expect(first).toMatchObject({ status: 200, state: 'deleted' });
    expect(second).toEqual(first);
    expect(new Date(first?.until).getTime() - Date.now()).toBeGreaterThan(29 * 86_400_000);
    expect((await content(id)).status).toBe(404);
    const other = await placed('deed 2', randomBytes(20), { ...deed, type: 'application/octet-stream' });
    for (const _time of ['once', 'twice']) {
      const { status, json } = await world.ask('POST', `/v1/assets/${id}/restore`);
      expect([status, json.state]).toEqual([200, 'ready']);
    }
    expect(await (await content(id)).text()).toBe(bytes.toString());
    expect((await look(other)).json.state).toBe('ready');
  });

  it('takes its bytes with it when it is the last one of them, and no sooner', async () => {
    const shared = await picture();
    const send = async (key: string) =>
      await uploader.upload(key, shared, { destination: 'brief', type: 'image/png', name: key });
    const [one, two] = [(await send('brief 1')).json, (await send('brief 2')).json];
    expect([one.result.deduplicated, two.result.deduplicated]).toEqual([false, true]);
    const [held = ''] = (await uploader.rows(one.id)).content;
    const left = async () => [(await uploader.objects(one.id)).length, (await uploader.thumbnails(held)).length];
    await gone(one.result.assetId);
    expect(await left()).toEqual([1, 3]);
    expect(await (await content(two.result.assetId)).arrayBuffer()).toHaveProperty('byteLength', shared.length);
    await gone(two.result.assetId);
    expect(await left()).toEqual([0, 0]);
    expect(await world.sql('select from hapax.content where id = $1', held)).toEqual([]);
    expect((await look(two.result.assetId)).status).toBe(404);
    const again = (await send('brief 3')).json;
    expect([again.state, again.result.deduplicated, again.result.thumbnails.length]).toEqual(['succeeded', false, 3]);
  });

  it('that its subject has already is not sent again, and nobody learns of it who has no such file', async () => {
    const bytes = randomBytes(5_000);
    const known = { sha256: sha256(bytes) };
    const begun = (await uploader.announce('begun before', bytes, { ...known, transfer: 'multipart' })).json;
    const first = await placed('owned', bytes, known);
    // Its caller may have sent parts.
    expect((await world.ask('GET', `/v1/operations/${begun.id}`)).json.transfer.parts).toHaveLength(1);
    const second = (await uploader.announce('owned again', bytes, { ...known, name: 'other name' })).json;
    expect(second.transfer).toBeUndefined();
    const { json } = await uploader.settled(second.id);
    expect([json.state, json.result.deduplicated]).toEqual(['succeeded', true]);
    expect(await uploader.objects(second.id)).toEqual([]);
    expect(Buffer.from(await (await content(json.result.assetId)).arrayBuffer()).equals(bytes)).toBe(true);
    for (const [key, changes, token] of [
      ['other tenant', {}, 'local-beta'],
      ['other subject', {}, 'local-alpha.ann'],
      ['other subject, whole tenant', { dedup: 'global' }, 'local-alpha.ann'],
      ['another scope', { dedup: 'folder' }, 'local-alpha'],
      ['for itself', { dedup: 'intent' }, 'local-alpha'],
      ['another size', { size: 4_999 }, 'local-alpha'],
    ] as const) {
      const asked = await uploader.announce(key.replace(',', ' in'), bytes, { ...known, ...changes }, { token });
      expect([key, asked.status, typeof asked.json.transfer?.url]).toEqual([key, 201, 'string']);
    }
    const whole = { ...known, dedup: 'global' };
    await placed('owned in the tenant', bytes, whole);
    const theirs = await uploader.announce('of the tenant', bytes, whole, { token: 'local-alpha.ann' });
    expect(typeof theirs.json.transfer?.url).toBe('string');
    await world.ask('DELETE', `/v1/assets/${first}`);
    await world.ask('DELETE', `/v1/assets/${json.result.assetId}`);
    const deleted = await uploader.announce('owned no more', bytes, known);
    expect(deleted.json.transfer.url).toContain('/content');
  });

  it.each([
    ['with its object', gone],
    // Between the look at the object and the row.
    ['as a row alone', async (id: string) => void (await world.sql(giveUp, id))],
  ])('that is deleted for good %s before it is placed again has its bytes sent', async (how, leaves) => {
    const bytes = randomBytes(5_000);
    const known = { sha256: sha256(bytes), destination: 'brief' };
    const id = await placed(`leaving ${how}`, bytes, known);
    for (const worker of world.running('workers/operations.ts')) worker.signal('SIGSTOP');
    const linked = (await uploader.announce(`linked ${how}`, bytes, known)).json;
    expect(linked.transfer).toBeUndefined();
    await leaves(id);
    for (const worker of world.running('workers/operations.ts')) worker.signal('SIGCONT');
    const { json } = await uploader.settled(linked.id);
    expect([json.state, json.problem.code]).toEqual(['refused', 'bytes-missing']);
    const again = (await uploader.upload(`linked ${how}`, bytes, known)).json;
    expect([again.state, again.result.deduplicated]).toEqual(['succeeded', false]);
  });

  it('whose last reference goes while the same content comes again leaves no file without its bytes', async () => {
    await raceForTheLast(uploader, 60, 'brief');
  }, 150_000);
});

describe('a file that is two things at once', () => {
  const script = '<html><script>alert(1)</script></html>';
  const zip = typeFiles.docx;
  it.each<[string, Buffer, string, 'inline' | 'attachment']>([
    [
      'a GIF that is a script',
      Buffer.concat([Buffer.from('GIF89a=1;/*'), typeFiles.gif, Buffer.from('*/;alert(1)')]),
      'image/gif',
      'inline',
    ],
    ['a PNG with a page behind it', Buffer.concat([typeFiles.png, Buffer.from(script)]), 'image/png', 'inline'],
    ['a JPEG with a ZIP behind it', Buffer.concat([typeFiles.jpeg, zip]), 'image/jpeg', 'inline'],
    [
      'a PDF with a page before it',
      Buffer.concat([Buffer.from(script), typeFiles.pdf]),
      'application/pdf',
      'attachment',
    ],
    [
      'a PNG that says it is a page',
      Buffer.concat([typeFiles.png, Buffer.from(script)]),
      'application/octet-stream',
      'attachment',
    ],
    ['a page that says it is a page', Buffer.from(script), 'text/html', 'attachment'],
    [
      'a drawing with a script',
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
      'image/svg+xml',
      'attachment',
    ],
  ])('%s runs nowhere', async (name, bytes, type, shown) => {
    const id = await placed(`two things: ${name}`, bytes, { type, dedup: 'intent', name: 'two.bin' });
    const got = await content(id, {}, '?disposition=inline');
    const headers = ['content-type', 'x-content-type-options', 'content-disposition', 'content-security-policy'];
    expect(headers.map((header) => got.headers.get(header))).toEqual([
      type,
      'nosniff',
      expect.stringMatching(new RegExp(`^${shown}`)),
      expect.stringContaining('sandbox'),
    ]);
    expect(sha256(Buffer.from(await got.arrayBuffer()))).toBe(sha256(bytes));
  });

  it('is not taken as what its first bytes rule out', async () => {
    const page = Buffer.concat([typeFiles.program, typeFiles.png]);
    const { json } = await uploader.upload('a program as a picture', page, { type: 'image/png' });
    expect([json.state, json.problem.code]).toEqual(['refused', 'type-mismatch']);
  });
});

describe('what is made of a file', () => {
  const retry = async (id: string, ask = {}) =>
    await world.ask('POST', `/v1/assets/${id}/derivatives/thumbnails/retry`, ask);
  const derivations = async () => (await world.sql(`select from hapax.operation where flow = 'derive'`)).length;

  /** As if the media worker had been away when the file was uploaded. */
  async function failed(id: string): Promise<void> {
    const [row] = await world.sql<{ content_id: string }>(
      `update hapax.derivative d set state = 'failed', files = '[]', code = 'step-failed', detail = 'It was away.'
       from hapax.asset a where a.id = $1 and d.content_id = a.content_id returning d.content_id`,
      id,
    );
    for (const key of await uploader.thumbnails(row?.content_id as string)) await deleteObject(uploader.store, key);
  }

  it('is made again once, however often that is asked for', async () => {
    const id = await placed('to be made again', await picture(), { type: 'image/png', dedup: 'intent' });
    await failed(id);
    const before = await derivations();
    const answers = await Promise.all(Array.from({ length: 10 }, async () => await retry(id)));
    expect(answers.map(({ status, json }) => [status, json.derivatives[0].state])).toEqual(
      Array(10).fill([200, 'done']),
    );
    const { json } = await retry(id);
    expect([json.derivatives[0].files.length, (await derivations()) - before]).toEqual([3, 1]);
    for (const { download, size } of json.derivatives[0].files)
      expect((await (await fetch(download.url)).arrayBuffer()).byteLength).toBe(size);
  });

  it('fails again with its reason where it cannot be made, and can be asked for once more', async () => {
    const bytes = typeFiles.heic;
    const id = await placed('never made', bytes, { type: 'image/heic', dedup: 'intent' });
    const before = await derivations();
    for (let n = 1; n <= 2; n += 1) {
      const { status, json } = await retry(id);
      expect([status, json.derivatives]).toMatchObject([200, [{ state: 'failed', code: 'content-undecodable' }]]);
      expect((await derivations()) - before).toBe(n);
    }
  });

  it('is made again for its owner alone, and not of a file that is deleted', async () => {
    const id = await placed('not theirs', await picture(), { type: 'image/png', dedup: 'intent' });
    await failed(id);
    expect((await retry(id, { token: 'local-beta' })).status).toBe(404);
    expect((await retry(id, { token: 'local-alpha.ann' })).status).toBe(403);
    expect((await world.ask('POST', `/v1/assets/${id}/derivatives/film/retry`)).status).toBe(400);
    const text = await placed('no picture', randomBytes(10));
    expect((await retry(text)).status).toBe(404);
    await world.ask('DELETE', `/v1/assets/${id}`);
    expect((await retry(id)).status).toBe(404);
    await world.ask('POST', `/v1/assets/${id}/restore`);
    expect((await retry(id)).json.derivatives[0].state).toBe('done');
  });

  it('that was made while its worker was away is told with 202, and is there later', async () => {
    const id = await placed('later', await picture(), { type: 'image/png', dedup: 'intent' });
    await failed(id);
    for (const worker of world.running('workers/media.ts')) worker.signal('SIGSTOP');
    const asked = await retry(id, { headers: { prefer: 'wait=1' } });
    expect([asked.status, asked.headers.get('location')]).toEqual([
      202,
      expect.stringMatching(/^\/v1\/operations\/op_/),
    ]);
    for (const worker of world.running('workers/media.ts')) worker.signal('SIGCONT');
    await world.until('it is made', async () => (await look(id)).json.derivatives[0].state === 'done', 30_000);
  });
});

const giveUp = `update hapax.content set state = 'deleting', collected_by = 'a test' from hapax.asset a where a.id = $1 and content.id = a.content_id`;

/** Deletes an asset that can be restored no more, and waits until upkeep has given it up. */
async function gone(id: string): Promise<void> {
  expect((await world.ask('DELETE', `/v1/assets/${id}`)).status).toBe(200);
  // A new upkeep looks at once.
  const upkeep = await world.start('workers/upkeep.ts');
  await world.until(`${id} is gone`, async () => {
    return (await world.sql('select from hapax.asset where id = $1', id)).length === 0;
  });
  await upkeep.stop();
}
