import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { sha256, Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';

describe.concurrent('the collection of a flow', () => {
  let world: World;
  let uploader: Uploader;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { media: true });
    uploader = await Uploader.of(world);
  });
  afterAll(async () => {
    await uploader.close();
    await world.close();
  });

  const uploads = async (query: string, token = 'local-alpha') => {
    const { status, json } = await world.ask('GET', `/v1/uploads?${query}`, { token });
    expect(status).toBe(200);
    return json.uploads as { id: string; key: string; state: string; transfer?: { url: string; headers: object } }[];
  };

  it('gives a page that has lost all but its key the upload, and where to send its bytes', async () => {
    const bytes = randomBytes(40_000);
    const announced = await uploader.announced('lost-all', bytes);
    const [found, ...others] = await uploads('key=lost-all');
    expect([found, others]).toEqual([
      expect.objectContaining({ id: announced.id, state: 'waiting', transfer: announced.transfer }),
      [],
    ]);
    const sent = await world.ask('PUT', found?.transfer?.url ?? '', {
      body: bytes,
      headers: { ...found?.transfer?.headers },
    });
    expect(sent.status).toBe(200);
    await uploader.ended(announced.id);
    const [ended] = await uploads('key=lost-all');
    expect(ended).toMatchObject({ id: announced.id, state: 'succeeded', result: { sha256: sha256(bytes) } });
    expect(ended).not.toHaveProperty('transfer');
  });

  it('is searched for what is open, and by the content that was announced', async () => {
    const bytes = randomBytes(1_000);
    const digest = sha256(bytes);
    const open = await uploader.announced('by-content', bytes, { sha256: digest });
    const done = await uploader.upload('by-content-too', bytes, { sha256: digest });
    expect((await uploads(`sha256=${digest}&state=open`)).map(({ id }) => id)).toEqual([open.id]);
    expect((await uploads(`sha256=${digest}`)).map(({ id }) => id)).toEqual([done.json.id, open.id]);
    expect(await uploads(`sha256=${'0'.repeat(64)}`)).toEqual([]);
    // Only a look by the key signs where to send.
    expect((await uploads('state=open')).filter(({ transfer }) => transfer !== undefined)).toEqual([]);
  });

  it('shows one by its id, and none of another flow, tenant or subject', async () => {
    const { id } = await uploader.announced('one', randomBytes(10));
    const look = async (path: string, token = 'local-alpha') => {
      const { status, json } = await world.ask('GET', path, { token });
      return [status, json.code ?? json.id];
    };
    expect(await look(`/v1/uploads/${id}`)).toEqual([200, id]);
    expect((await world.ask('GET', `/v1/uploads/${id}`)).json).toHaveProperty('transfer');
    expect(await look(`/v1/checkouts/${id}`)).toEqual([404, 'not-found']);
    expect(await look(`/v1/uploads/${id}`, 'local-beta')).toEqual([404, 'not-found']);
    expect(await look(`/v1/uploads/${id}`, 'local-alpha.somebody')).toEqual([404, 'not-found']);
    expect(await uploads('key=one', 'local-beta')).toEqual([]);
    expect(await uploads('key=one', 'local-alpha.somebody')).toEqual([]);
    // An operator sees it, and may not send its bytes.
    expect((await world.ask('GET', `/v1/uploads?key=one`, { token: 'operator-alpha.staff' })).json.uploads).toEqual([
      expect.not.objectContaining({ transfer: expect.anything() }),
    ]);
    const checkout = await world.checkout('listed');
    expect((await world.ask('GET', '/v1/checkouts?key=listed')).json.checkouts).toMatchObject([
      { id: checkout.json.id },
    ]);
  });

  it.each([
    ['a field that nobody can search for', '/v1/uploads?name=a', 'name'],
    ['a digest of another form', '/v1/uploads?sha256=AB', 'sha256'],
    ['a flow, which the path names already', '/v1/uploads?flow=checkout', 'flow'],
    ['a search by content in checkouts', `/v1/checkouts?sha256=${'0'.repeat(64)}`, 'sha256'],
    ['a state that there is none of', '/v1/uploads?state=lost', 'state'],
  ])('refuses %s', async (_, path, field) => {
    const { status, json, text } = await world.ask('GET', path);
    expect([status, json.code]).toEqual([400, 'request-invalid']);
    expect(text).toContain(field);
  });
});
