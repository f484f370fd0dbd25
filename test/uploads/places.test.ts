import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { nothingLeft } from '../support/one-upload.ts';
import { type Announced, Uploader } from '../support/uploader.ts';
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

type Policy = 'keep_both' | 'replace' | 'refuse' | undefined;

const send = async (key: string, name: string, whenSame: Policy, ask = {}): Promise<Answered> =>
  await uploader.upload(key, randomBytes(100), { name, ...(whenSame === undefined ? {} : { whenSame }) }, ask);
const standing = async (name: string): Promise<string[]> => {
  const rows = await world.sql<{ id: string }>(
    'select id from hapax.asset where name = $1 and replaced_by is null order by created_at',
    name,
  );
  return rows.map(({ id }) => id);
};

describe('a file of the same name at the same destination, sent on purpose,', () => {
  it('is kept beside the first, unless somebody asks otherwise', async () => {
    for (const [n, policy] of [undefined, 'keep_both' as const].entries())
      expect((await send(`kept ${n}`, 'kept.bin', policy)).json.state).toBe('succeeded');
    expect(await standing('kept.bin')).toHaveLength(2);
  });

  it('takes the place of those that are there', async () => {
    const before = [await send('replaced 1', 'r.bin', undefined), await send('replaced 2', 'r.bin', undefined)];
    const { json } = await send('replaces', 'r.bin', 'replace');
    const replaced = before.map((one) => one.json.result.assetId as string);
    expect(new Set(json.result.replaces as string[])).toEqual(new Set(replaced));
    expect(await standing('r.bin')).toEqual([json.result.assetId]);
    const next = await send('replaces again', 'r.bin', 'replace');
    expect([next.json.result.replaces, await standing('r.bin')]).toEqual([
      [json.result.assetId],
      [next.json.result.assetId],
    ]);
  });

  it('is refused before a byte is sent, and at the end where the place was taken meanwhile, and leaves nothing', async () => {
    const bytes = randomBytes(100);
    const late = await uploader.announced('late', bytes, { name: 'f.bin', whenSame: 'refuse' });
    const first = await send('there', 'f.bin', undefined);
    const early = await uploader.announce('early', bytes, { name: 'f.bin', whenSame: 'refuse' });
    expect([early.status, early.json.code]).toEqual([409, 'place-taken']);
    await uploader.send(late, bytes);
    const { json } = await uploader.settled(late.id);
    expect([json.state, json.problem.code, json.problem.status]).toEqual(['refused', 'place-taken', 409]);
    expect(await standing('f.bin')).toEqual([first.json.result.assetId]);
    await nothingLeft(uploader, json.id);
    expect((await send('refuses alone', 'alone.bin', 'refuse')).json.state).toBe('succeeded');
  });

  it('of another person, or at another destination, is another place', async () => {
    await send('mine', 'p.bin', 'refuse');
    const others = await Promise.all([
      send('theirs', 'p.bin', 'refuse', { token: 'local-alpha.ann' }),
      send('of beta', 'p.bin', 'refuse', { token: 'local-beta' }),
      uploader.upload('elsewhere', randomBytes(10), { name: 'p.bin', destination: 'outbox', whenSame: 'refuse' }),
    ]);
    expect(others.map(({ json }) => json.state)).toEqual(['succeeded', 'succeeded', 'succeeded']);
  });

  it.each(['refuse', 'replace'] as const)('that comes ten times at once under %s leaves one', async (policy) => {
    const name = `crowd ${policy}.bin`;
    const crowd = Array.from({ length: 10 }, (_, n) => ({ key: `${policy} ${n}`, bytes: randomBytes(100) }));
    const announced = await Promise.all(
      crowd.map(async ({ key, bytes }) => ({
        bytes,
        upload: await uploader.announced(key, bytes, { name, whenSame: policy }),
      })),
    );
    const ended = await Promise.all(
      announced.map(async ({ upload, bytes }) => {
        await uploader.send(upload, bytes);
        return await uploader.settled(upload.id);
      }),
    );
    const states = ended.map(({ json }) => json.state);
    expect(states.filter((state) => state === 'succeeded')).toHaveLength(policy === 'refuse' ? 1 : 10);
    expect(await standing(name)).toHaveLength(1);
  });

  it('gives the place back when it is undone', async () => {
    const first = await send('stays', 'b.bin', 'replace');
    const media = world.running('workers/media.ts');
    for (const worker of media) worker.signal('SIGSTOP');
    const bytes = randomBytes(100);
    const announced: Announced = await uploader.announced('undone', bytes, { name: 'b.bin', whenSame: 'replace' });
    await uploader.send(announced, bytes);
    await world.until(
      'it has taken the place',
      async () => !(await standing('b.bin')).includes(first.json.result.assetId),
    );
    expect((await world.ask('POST', `/v1/operations/${announced.id}/cancel`)).status).toBe(202);
    for (const worker of media) worker.signal('SIGCONT');
    await uploader.ended(announced.id);
    expect(await world.state(announced.id)).toBe('cancelled');
    expect(await standing('b.bin')).toEqual([first.json.result.assetId]);
  });

  it('is held to one holder by a constraint alone', async () => {
    const { json } = await send('constrained', 'c.bin', 'refuse');
    const copy = `insert into hapax.asset (id, tenant, environment, subject, operation_id, destination, name, type, content_id, holds_place)
      select 'ast_copy', tenant, environment, subject, 'op_copy', destination, name, type, content_id, true from hapax.asset where id = $1`;
    await expect(world.sql(copy, json.result.assetId)).rejects.toThrow('asset_holds_its_place');
  });
});
