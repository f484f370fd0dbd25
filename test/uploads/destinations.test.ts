import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Destinations } from '../../client/uploads/destinations.ts';
import { nothingLeft, placedOnce } from '../support/one-upload.ts';
import { Uploader } from '../support/uploader.ts';
import { typeFiles } from '../support/type-files.ts';
import { World } from '../support/world.ts';
import { TusCaller } from './tus-caller.ts';

const declared = {
  destinations: [
    { name: 'avatars', types: ['image/*', 'application/pdf'], largest: 1_000, whenSame: 'replace' },
    { name: 'proven', strict: true, extension: 'match', fixed: true },
    { name: 'archive/*', dedup: 'folder', whenSame: 'refuse', fixed: true },
  ],
  others: 'refused',
};

let world: World;
let uploader: Uploader;
let tus: TusCaller;
beforeAll(async () => {
  world = await World.create(inject('ground'), { doors: 0, media: true });
  const door = async () => await world.start('workers/http.ts', { HAPAX_DESTINATIONS: JSON.stringify(declared) });
  world.doors.push(await door(), await door());
  uploader = await Uploader.of(world);
  tus = new TusCaller(world);
});
afterAll(async () => {
  await uploader.close();
  await world.close();
});

const bytes = randomBytes(100);
const image = (destination: string): string =>
  Object.entries({ filename: 'a.png', filetype: 'image/png', destination })
    .map(([name, value]) => `${name} ${Buffer.from(value).toString('base64')}`)
    .join(',');
const announced = async (key: string, announcement: object) => {
  const { status, json } = await uploader.announce(key, bytes, announcement);
  return [status, json.code, json.field];
};

describe('a destination', () => {
  it.each([
    ['that nobody has declared', { destination: 'elsewhere' }, [422, 'destination-unknown', 'destination']],
    ['for other types', { destination: 'avatars', type: 'text/plain' }, [422, 'destination-refuses', 'type']],
    [
      'for smaller files',
      { destination: 'avatars', type: 'image/png', size: 1_001 },
      [413, 'upload-too-large', 'size'],
    ],
    [
      'with its own policy',
      { destination: 'archive/1', whenSame: 'replace' },
      [422, 'destination-refuses', 'whenSame'],
    ],
    [
      'for files whose names say what they are',
      { destination: 'proven', type: 'image/png', name: 'a.exe' },
      [422, 'destination-refuses', 'name'],
    ],
    ['that asks for proof', { destination: 'proven', strict: false }, [422, 'destination-refuses', 'strict']],
    ['with its own scope', { destination: 'archive/1', dedup: 'global' }, [422, 'destination-refuses', 'dedup']],
  ])('%s refuses an upload before a byte is sent, and the key stays free', async (what, other, problem) => {
    expect(await announced(what, other)).toEqual(problem);
    expect((await uploader.upload(what, bytes, { destination: 'archive/free', name: what })).json.state).toBe(
      'succeeded',
    );
  });

  it.each(['tus', 'resumable'] as const)('refuses whatever the protocol, here by %s', async (way) => {
    const created = async (key: string, destination: string, size: number) =>
      way === 'tus'
        ? await tus.create(key, { 'upload-length': `${size}`, 'upload-metadata': image(destination) })
        : await world.ask('POST', `/v1/resumable?name=a.png&destination=${destination}`, {
            key,
            headers: { 'upload-complete': '?0', 'upload-length': `${size}`, 'content-type': 'image/png' },
          });
    const [unknown, large] = [await created(`${way} 1`, 'elsewhere', 10), await created(`${way} 2`, 'avatars', 2_000)];
    expect([unknown.status, unknown.json.code]).toEqual([422, 'destination-unknown']);
    expect([large.status, large.json.code]).toEqual([413, 'upload-too-large']);
    expect((await created(`${way} 1`, 'avatars', 10)).status).toBe(201);
  });

  it('holds an upload to its limit that tells its size later', async () => {
    const created = await tus.create('later', { 'upload-defer-length': '1', 'upload-metadata': image('avatars') });
    const upload = TusCaller.uploadOf(created);
    const told = await tus.patch(upload, 0, bytes, { 'upload-length': '1001' });
    expect([told.status, told.json.code]).toEqual([413, 'upload-too-large']);
    const sent = await tus.patch(upload, 0, randomBytes(1_001));
    expect([sent.status, sent.json.code]).toEqual([413, 'upload-too-large']);
    const untold = await fetch(`${world.doors[0]?.address}${upload.path}`, {
      method: 'PATCH',
      headers: {
        ...{ authorization: 'Bearer local-alpha', 'tus-resumable': '1.0.0', 'upload-offset': '0' },
        'content-type': 'application/offset+octet-stream',
      },
      body: new Blob([randomBytes(1_001)]).stream(),
      duplex: 'half',
    });
    expect([untold.status, ((await untold.json()) as { code: string }).code]).toEqual([413, 'upload-too-large']);
    expect((await tus.patch(upload, 0, bytes, { 'upload-length': '100' })).status).toBe(204);
  });

  it('is asked of the upload that joins partial ones, of which clients say no place', async () => {
    const partial = await tus.created(undefined, bytes.length, { 'upload-concat': 'partial' });
    expect((await tus.patch(partial, 0, bytes)).status).toBe(204);
    const joined = async (key: string, destination: string) =>
      await tus.create(key, { 'upload-concat': `final;${partial.path}`, 'upload-metadata': image(destination) });
    const refused = await joined('joined elsewhere', 'elsewhere');
    expect([refused.status, refused.json.code]).toEqual([422, 'destination-unknown']);
    expect((await joined('joined', 'avatars')).status).toBe(201);
  });

  it('takes what shows its type where it asks for proof, and believes a type elsewhere unless the bytes contradict it', async () => {
    const { text, noise, png } = typeFiles;
    const sent = async (key: string, body: Uint8Array, type: string, destination: string) => {
      const { json } = await uploader.upload(`proof ${key}`, body, { type, destination, name: key });
      const [asset] = await world.sql<{ evidence: object }>(
        'select evidence from hapax.asset where operation_id = $1',
        json.id,
      );
      return [json.state, json.problem?.code, asset?.evidence];
    };
    const about = (declared: string, shown: string, by: string, verdict: string) => ({ declared, shown, by, verdict });
    expect(await sent('a', text, 'text/csv', 'proven')).toEqual([
      ...['succeeded', undefined],
      about('text/csv', 'text/plain', 'text', 'shown'),
    ]);
    expect(await sent('b', noise, 'image/vnd.dxf', 'proven')).toEqual(['refused', 'type-mismatch', undefined]);
    expect(await sent('c', noise, 'image/vnd.dxf', 'archive/c')).toEqual([
      ...['succeeded', undefined],
      about('image/vnd.dxf', '', 'nothing', 'unproven'),
    ]);
    expect(await sent('d', png, 'image/jpeg', 'archive/d')).toEqual(['refused', 'type-mismatch', undefined]);
  });

  it('says what becomes of a file of the same name, where the upload does not', async () => {
    const png = { type: 'application/pdf', name: 'face', destination: 'avatars' };
    const pdf = Buffer.concat([Buffer.from('%PDF-1.7\n'), randomBytes(50)]);
    const first = await uploader.upload('face 1', pdf, png);
    const second = await uploader.upload('face 2', Buffer.concat([pdf, bytes]), png);
    expect(second.json.result.replaces).toEqual([first.json.result.assetId]);
    const beside = await uploader.upload('face 3', pdf, { ...png, whenSame: 'keep_both' });
    expect(beside.json.result.replaces).toBeUndefined();
  });

  it('whose place is taken says so before a byte is sent, and once more at the end', async () => {
    const there = { name: 'deed.pdf', destination: 'archive/deeds' };
    const [one, other] = [
      await uploader.announce('deed 1', bytes, there),
      await uploader.announce('deed 2', bytes, there),
    ];
    expect([one.status, other.status]).toEqual([201, 201]);
    await uploader.send(one.json, bytes);
    await uploader.settled(one.json.id);
    expect(await announced('deed 3', there)).toEqual([409, 'place-taken', 'name']);
    await uploader.send(other.json, bytes);
    const { json } = await uploader.settled(other.json.id);
    expect([json.state, json.problem.code]).toEqual(['refused', 'place-taken']);
    await placedOnce(uploader, one.json.id, bytes);
    await nothingLeft(uploader, other.json.id);
  });

  it('may change while its uploads are known: a retry is answered, and a key names the same intent', async () => {
    const here = { name: 'kept.bin', destination: 'archive/kept' };
    const first = await uploader.upload('terms', bytes, here);
    const closed = await world.start('workers/http.ts', { HAPAX_DESTINATIONS: '{"others":"refused"}' });
    const door = world.doors.push(closed) - 1;
    const again = await uploader.announce('terms', bytes, here, { door });
    expect([again.headers.get('idempotency-status'), again.json.assetId]).toEqual([
      'replayed',
      first.json.result.assetId,
    ]);
    const other = await uploader.announce('terms', bytes, { ...here, name: 'other.bin' }, { door });
    expect([other.json.code, other.json.fields]).toEqual(['key-reused', ['name']]);
    world.doors.pop();
  });
});

describe('the declaration of destinations', () => {
  it.each([
    ['{', 'is no JSON: give {"destinations": […], "others": …}'],
    ['{"others":"closed"}', "others: give 'refused', or what holds for them"],
    ['{"destinations":[{"types":["image/*"]}]}', 'destinations.0.name: '],
    [
      '{"destinations":[{"name":"a","types":["Image"]}]}',
      'destinations.0.types.0: give a media type in lower case, or a range',
    ],
    ['{"destinations":[{"name":"a","maximum":1}]}', 'destinations.0: Unrecognized key: "maximum"'],
  ])('%s is told what is wrong with it', (text, says) => {
    expect(() => Destinations.read(text)).toThrow(says);
  });

  it('takes the first name that fits, and the others else', () => {
    const places = Destinations.read(
      JSON.stringify({
        destinations: [
          { name: 'a.b/*', largest: 1 },
          { name: '*', largest: 2 },
        ],
        others: 'refused',
      }),
    );
    expect(['a.b/c/d', 'aXb/c', 'a.b'].map((name) => places.largest(name))).toEqual([1, 2, 2]);
    expect(Destinations.read('{}').of('anything')).toEqual({});
  });
});
