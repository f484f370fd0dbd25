import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { finalize } from '../../activities/assets.ts';
import { makeThumbnails } from '../../activities/make-thumbnails.ts';
import { unguarded } from '../../activities/engine/guard.ts';
import { statementActivities } from '../../activities/engine/statement-step.ts';
import { Database } from '../../activities/stores/postgres/database.ts';
import { take } from '../../activities/stores/postgres/ledger/take.ts';
import { hours, seconds } from '../../workflows/operation/duration.ts';
import type { OperationRef } from '../../workflows/operation/call.ts';
import { AwkwardProxy, type Habit } from '../support/awkward-proxy.ts';
import { placedOnce } from '../support/one-upload.ts';
import { picture } from '../support/upload-lane.ts';
import { type Announced, sha256, Uploader } from '../support/uploader.ts';
import { type Answered, World } from '../support/world.ts';
import { effectsOf, paidOnce } from './effects.ts';

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

/** Runs `work` while no worker does anything. */
async function withFrozenWorkers<T>(work: () => Promise<T>): Promise<T> {
  const workers = [...world.running('workers/operations.ts'), ...world.running('workers/media.ts')];
  for (const worker of workers) worker.signal('SIGSTOP');
  try {
    return await work();
  } finally {
    for (const worker of workers) worker.signal('SIGCONT');
  }
}

describe('an upload that is announced again under its key', () => {
  it.each(['door', 'presigned'] as const)('is told what it is and where it stands: %s', async (transfer) => {
    const bytes = randomBytes(1_000);
    const key = `again-${transfer}`;
    const announce = async (door: number) =>
      await uploader.announce(key, bytes, { transfer, sha256: sha256(bytes) }, { door });
    const first = (await announce(0)).json as Announced;
    const addressOf = ({ url, complete }: Announced['transfer']) =>
      [url, complete?.url ?? url].map((one) => new URL(one).pathname);
    for (const door of [0, 1]) {
      const { status, headers, json } = await announce(door);
      expect([status, headers.get('idempotency-status')]).toEqual([201, 'joined']);
      expect(json).toMatchObject({ id: first.id, state: 'waiting', expiresAt: first.expiresAt });
      expect(addressOf(json.transfer)).toEqual(addressOf(first.transfer));
    }
    // Whoever shuts the laptop in the evening goes on in the morning.
    expect(new Date(first.expiresAt).getTime() - Date.now()).toBeGreaterThan(hours(23));
    await withFrozenWorkers(async () => {
      expect((await uploader.send(first, bytes)).status).toBe(200);
      if (transfer === 'presigned') await uploader.complete(first.id);
      for (const door of [0, 1]) {
        const { status, json } = await announce(door);
        expect([status, json.id, json.state]).toEqual([202, first.id, 'running']);
        expect(json).not.toHaveProperty('transfer');
      }
    });
    const { json: end } = await uploader.settled(first.id);
    for (const door of [0, 1]) {
      const { status, headers, json } = await announce(door);
      expect([status, headers.get('idempotent-replayed')]).toEqual([201, 'true']);
      expect(json).toEqual({ id: first.id, state: 'succeeded', ...end.result });
    }
    await placedOnce(uploader, first.id, bytes);
    expect(await world.sql('select from hapax.operation where key = $1', key)).toHaveLength(1);
  });

  it('is not kept waiting for its own bytes', async () => {
    // A caller that is kept waiting is kept for all of this.
    const wait = seconds(20);
    const asked = performance.now();
    const announce = () =>
      uploader.announce('hurried', randomBytes(10), {}, { headers: { prefer: `wait=${wait / 1_000}` } });
    for (const announced of [await announce(), await announce()])
      expect([announced.status, announced.json.state]).toEqual([201, 'waiting']);
    expect(performance.now() - asked).toBeLessThan(wait);
  });

  it('has the result with each answer that says that it succeeded', async () => {
    const bytes = randomBytes(1_000);
    const announce = () => uploader.announce('eager', bytes);
    const first = (await announce()).json as Announced;
    const ended = Promise.withResolvers<void>();
    let over = false;
    void ended.promise.then(() => (over = true));
    const told: Answered['json'][] = [];
    const asking = Promise.all(
      Array.from({ length: 6 }, async () => {
        while (!over) told.push((await announce()).json);
      }),
    );
    const sent = await uploader.send(first, bytes);
    await uploader.settled(first.id);
    told.push((await announce()).json);
    ended.resolve();
    await asking;
    const succeeded = told.filter(({ state }) => state === 'succeeded');
    expect(succeeded.length).toBeGreaterThan(0);
    for (const json of succeeded) expect(json).toMatchObject({ id: first.id, assetId: expect.any(String) });
    if (sent.json.state === 'succeeded') expect(sent.json.result).toMatchObject({ assetId: expect.any(String) });
  });
});

describe('the same bytes', () => {
  type Place = { dedup: string; destination: string; token: string };
  const upload = async (key: string, bytes: Buffer, { token, ...place }: Place) =>
    (await uploader.upload(key, bytes, place, { token })).json;
  const of = (name: string, changes: Partial<Place>): Place => ({
    ...{ dedup: name, destination: 'a', token: 'local-alpha' },
    ...changes,
  });

  it.each<{ dedup: string; shares: Record<string, Partial<Place>>; apart: Record<string, Partial<Place>> }>([
    {
      dedup: 'global',
      shares: { 'another folder': { destination: 'b' }, 'another person': { token: 'local-alpha.ann' } },
      apart: {
        'another tenant': { token: 'local-beta' },
        'the live environment': { token: 'live-alpha' },
        'another scope': { dedup: 'account' },
      },
    },
    {
      dedup: 'folder',
      shares: { 'the same folder': {} },
      apart: { 'another folder': { destination: 'b' }, 'another person': { token: 'local-alpha.ann' } },
    },
  ])('are one object within $dedup, and never beyond it', async ({ dedup, shares, apart }) => {
    const bytes = randomBytes(2_000);
    const first = await upload(`${dedup}-first`, bytes, of(dedup, {}));
    expect(first.result.deduplicated).toBe(false);
    for (const [who, changes] of Object.entries(shares)) {
      const { id, result } = await upload(`${dedup}-${who}`.replaceAll(' ', '-'), bytes, of(dedup, changes));
      expect([who, result.deduplicated, await uploader.objects(id)]).toEqual([who, true, []]);
      expect(result.assetId).not.toBe(first.result.assetId);
    }
    for (const [who, changes] of Object.entries(apart)) {
      const { id, result } = await upload(`${dedup}-${who}`.replaceAll(' ', '-'), bytes, of(dedup, changes));
      expect([who, result.deduplicated, (await uploader.objects(id)).length]).toEqual([who, false, 1]);
    }
    expect(await uploader.objects(first.id)).toHaveLength(1);
  });

  it('are not what a file of the same name, size, type and place has: other bytes share nothing', async () => {
    const like = { name: 'scan.bin', destination: 'scans', dedup: 'global' };
    const [one, other] = [randomBytes(2_000), randomBytes(2_000)];
    const [first, second] = [await uploader.upload('like-1', one, like), await uploader.upload('like-2', other, like)];
    for (const [bytes, { json }] of [
      [one, first],
      [other, second],
    ] as const) {
      expect(json.result).toMatchObject({ sha256: sha256(bytes), deduplicated: false });
      await placedOnce(uploader, json.id, bytes);
    }
    // Nor is one taken for a retry of the other: without a digest its bytes tell them apart.
    const late = await uploader.announced('like-3', one, like);
    await uploader.send(late, one);
    expect((await uploader.send(late, other)).json.code).toBe('bytes-unexpected');
  });
});

describe('an upload that is finalized by many at once', () => {
  it('has one row of metadata, one set of thumbnails and one message', async () => {
    const bytes = await picture();
    const announced = await uploader.announced('raced', bytes, { type: 'image/png', dedup: 'intent' });
    const { id } = announced;
    await withFrozenWorkers(async () => {
      await uploader.send(announced, bytes);
      const [objectKey = ''] = await uploader.objects(id);
      const operation: OperationRef = { id, tenant: world.tenants.alpha, environment: 'test', flow: 'upload' };
      const pools = [1, 2].map(() => new Database(world.databaseUrl, 'hapax_app'));
      const taken = await take(pools[0] as Database, operation, 'a test');
      const fence = taken.kind === 'taken' ? taken.fence : expect.unreachable();
      const file = { name: 'raced.bin', size: bytes.length, type: 'image/png', destination: 'inbox' };
      const input = { ...file, sha256: sha256(bytes), objectKey, dedup: 'intent' };
      const call = {
        operation,
        fence,
        step: 'finalize',
        position: 2,
        input,
        carry: [],
        noReturn: false,
        irreversible: false,
        personAfter: 60_000,
        patience: 60_000,
      } as const;
      const races = Array.from({ length: 12 }, (_, n) => pools[n % 2] as Database);
      const placed = await Promise.all(
        races.map((pool) => statementActivities(pool, finalize).step({ ...call, effect: 'transaction' }, unguarded)),
      );
      expect(new Set(placed.map(({ result }) => JSON.stringify(result))).size).toBe(1);
      const { content } = (placed[0] ?? expect.unreachable()).result as { content: string };
      const asked = { content, objectKey, size: bytes.length, shown: 'image/png' };
      const about = { operation: id, tenant: operation.tenant, environment: 'test', key: 'k', age: 0 } as const;
      const sending = { ...about, attempt: 1, timeout: 10_000, signal: new AbortController().signal };
      const made = await Promise.all(races.map((pool) => makeThumbnails(pool, uploader.store, asked, sending)));
      expect(new Set(made.map((one) => JSON.stringify(one))).size).toBe(1);
      await Promise.all(pools.map((pool) => pool.close()));
    });
    // Its own workers wake up in the middle of that, and do it once more.
    await uploader.ended(id);
    await placedOnce(uploader, id, bytes, { thumbnails: 3 });
    expect(await world.sql('select from hapax.asset where operation_id = $1', id)).toHaveLength(1);
  });

  it('is kept to one of each by the constraints alone, whoever writes', async () => {
    const { json } = await uploader.upload('constrained', randomBytes(500));
    const copies: Record<string, string> = {
      asset_of_one_operation: `insert into hapax.asset (id, tenant, environment, subject, operation_id, destination, name, type, content_id)
        select 'ast_' || $2, tenant, environment, subject, operation_id, destination, name, type, content_id
        from hapax.asset where operation_id = $1`,
      content_lives_once_in_its_scope: `insert into hapax.content (id, tenant, environment, dedup_scope, sha256, size, type, object_key)
        select 'cnt_' || $2, c.tenant, c.environment, dedup_scope, sha256, size, c.type, 'other/' || $2
        from hapax.content c join hapax.asset on content_id = c.id where operation_id = $1`,
      content_object_is_its_own: `insert into hapax.content (id, tenant, environment, dedup_scope, sha256, size, type, object_key)
        select 'cnt_' || $2, c.tenant, c.environment, 'other ' || $2, sha256, size, c.type, object_key
        from hapax.content c join hapax.asset on content_id = c.id where operation_id = $1`,
      transfer_pkey: `insert into hapax.transfer (operation_id, tenant, outcome)
        select operation_id, tenant, 'closed' from hapax.transfer where operation_id = $1 and $2 <> ''`,
      outbox_pkey: `select hapax.tell(id, operation_id, channel, aggregate_type, aggregate_id, type, payload) from hapax.outbox
        where operation_id = $1 and $2 <> ''`,
      outbox_has_one_of_each: `insert into hapax.outbox (
          id, tenant, environment, operation_id, channel, aggregate_type, aggregate_id, sequence, type, payload)
        select overlay(id placing '00000000' from 5), tenant, environment, operation_id, channel, aggregate_type, aggregate_id,
          sequence, type, payload from hapax.outbox
        where operation_id = $1 and $2 <> ''`,
      step_pkey: `insert into hapax.step (operation_id, tenant, name, position, state)
        select operation_id, tenant, name, position, state from hapax.step
        where operation_id = $1 and name = 'finalize' and $2 <> ''`,
    };
    for (const [constraint, copy] of Object.entries(copies))
      await expect(world.sql(copy, json.id, constraint)).rejects.toMatchObject({ code: '23505', constraint });
    // And of two that come at once, for what nobody has written yet, one.
    await world.sql('delete from hapax.asset where operation_id = $1', json.id);
    const insert = `insert into hapax.asset (id, tenant, environment, subject, operation_id, destination, name, type, content_id)
      select 'ast_' || $2, o.tenant, o.environment, o.subject, o.id, 'd', 'n', 't', c.id
      from hapax.operation o join hapax.content c on c.tenant = o.tenant where o.id = $1 limit 1`;
    const raced = await Promise.allSettled(['one', 'two'].map((who) => world.sql(insert, json.id, who)));
    expect(raced.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(await world.sql('select from hapax.asset where operation_id = $1', json.id)).toHaveLength(1);
  });
});

describe('behind a proxy', () => {
  it.each<{ habit: Habit; says: string }>([
    { habit: 'buffers', says: 'that passes nothing on before it has all of it' },
    { habit: 'gives-up', says: 'that says 504 while the door goes on' },
    { habit: 'retries', says: 'that sends each request again' },
  ])('$says, an upload and a checkout happen once', async ({ habit }) => {
    const proxy = await AwkwardProxy.to(world.doors[0]?.address ?? expect.unreachable(), habit);
    const bytes = randomBytes(500_000);
    const key = `proxy-${habit}`;
    // Whoever is told nothing asks again with the same key: here beside the proxy.
    const told = async (path: string, body: object) => {
      const answer = await world.ask('POST', `${proxy.url}${path}`, { key, body });
      return answer.status === 504 ? await world.ask('POST', path, { key, body, door: 1 }) : answer;
    };
    const about = { name: 'a.bin', size: bytes.length, type: 'application/octet-stream', destination: 'proxied' };
    const announced = (await told('/v1/uploads', about)).json as Announced;
    const content = `/v1/uploads/${announced.id}/content`;
    const send = async (base = '') =>
      await uploader.send({ ...announced, transfer: { ...announced.transfer, url: `${base}${content}` } }, bytes);
    expect((await send(proxy.url)).status).toBe(habit === 'gives-up' ? 504 : 200);
    // It asks what has become of its bytes before it sends them again: they are there.
    const look = await world.ask('GET', `${proxy.url}/v1/operations/${announced.id}`, {
      headers: { prefer: 'wait=30' },
    });
    expect([look.json.state, look.json.transfer]).toEqual(['succeeded', undefined]);
    expect((await send()).status).toBe(200);
    const cart = world.cart(key);
    const paid = await told('/v1/checkouts', cart);
    expect(paid.status).toBe(201);
    expect((await world.checkout(key, {}, { body: cart })).text).toBe(paid.text);
    const times = habit === 'retries' ? 2 : 1;
    for (const what of ['POST /v1/uploads', `PUT ${content}`, 'POST /v1/checkouts'])
      expect(proxy.sent.filter((one) => one === what)).toHaveLength(times);
    await proxy.close();
    await placedOnce(uploader, announced.id, bytes);
    // The upload and the checkout, the receipt, and both messages of the upload.
    expect(await effectsOf(world, key)).toEqual({ ...paidOnce, operations: 2, receipts: 3 });
  });
});
