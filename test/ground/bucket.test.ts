import { randomBytes } from 'node:crypto';
import { describe, expect, inject, it, type TestContext } from 'vitest';
import { listObjects } from '../../activities/stores/s3/list-objects.ts';
import { ledgerMarkKey } from '../../activities/stores/s3/upload-keys.ts';
import { openObjectStore } from '../../activities/stores/s3/object-store.ts';
import { proveBucket } from '../../activities/stores/s3/prove-bucket.ts';
import { freePorts } from '../../workers/local/free-port.ts';
import { effectsOf, nothing, paidOnce } from '../conformance/effects.ts';
import { StandInStore } from '../support/stand-in-store.ts';
import { type Options, World } from '../support/world.ts';

type Row = { state: string; says: string; failed_complete: string | null; proved_at: Date | null };

async function worldOf(context: TestContext, options: Options): Promise<World> {
  const world = await World.create(inject('ground'), options);
  context.onTestFinished(() => world.close());
  return world;
}

const proofs = (world: World) =>
  world.sql<Row>('select state, says, failed_complete, proved_at from hapax.bucket_proof');

async function proved(world: World, state: string): Promise<Row> {
  return await world.until(`the store is ${state}`, async () => {
    const [row] = await proofs(world);
    return row?.state === state && row;
  });
}

async function storeLine(address: string): Promise<[number, string | undefined]> {
  const answer = await fetch(`${address}/readyz?verbose`);
  return [answer.status, (await answer.text()).split('\n').find((line) => line.includes('object-store'))];
}

function storeAt(endpoint: string, bucket = 'hapax') {
  const { accessKeyId, secretAccessKey } = inject('ground').s3;
  return openObjectStore({
    endpoint,
    publicEndpoint: undefined,
    region: 'us-east-1',
    bucket,
    accessKeyId,
    secretAccessKey,
  });
}

const picture = { name: 'a.png', size: 3, type: 'image/png', destination: 'pictures' };

describe('the object store', () => {
  it('is proved by one of two upkeep processes, shown by every process, and nothing of the proof stays', async (context) => {
    const world = await worldOf(context, { media: true });
    const store = storeAt(inject('ground').s3.endpoint, world.env.S3_BUCKET);
    await world.start('workers/upkeep.ts');
    const row = await proved(world, 'holds');
    expect(row).toMatchObject({
      failed_complete: 'parts-kept',
      says: expect.stringContaining('Of two concurrent PUTs one wins'),
    });
    for (const process of world.processes.filter(({ name }) => name !== 'workers/sandbox/main.ts'))
      expect([process.name, ...(await storeLine(process.address))]).toEqual([
        process.name,
        200,
        expect.stringMatching(/^\[\+\]object-store: Of two concurrent PUTs.*parts-kept/),
      ]);
    // Besides the mark of the ledger, which upkeep leaves too.
    expect((await listObjects(store, '')).filter(({ key }) => key !== ledgerMarkKey)).toEqual([]);
    store.close();
    expect(await proofs(world)).toEqual([row]);
  });

  it('that ignores If-None-Match takes no uploads until it is mended, and checkouts go on', async (context) => {
    const store = await StandInStore.start({ conditions: false });
    context.onTestFinished(() => store.close());
    const world = await worldOf(context, { env: { S3_ENDPOINT: store.url } });
    // Announced in the moment before the proof, or else by the ledger alone: its bytes are refused all the same.
    const row = await proved(world, 'failed');
    expect(row.says).toContain('of two PUTs at once with `If-None-Match: *` it took both');
    const [status, line] = await storeLine(world.doors[0]?.address ?? '');
    expect([status, line]).toEqual([
      200,
      expect.stringMatching(/^\[~\]object-store: uploads are refused: .*If-None-Match/),
    ]);

    const announce = (key = 'announced') => world.ask('POST', '/v1/uploads', { key, body: picture });
    const refused = await world.until('the door has read the proof', async () => {
      const answer = await announce();
      return answer.status === 503 && answer;
    });
    expect(refused.json).toMatchObject({ code: 'storage-unavailable', sameKeySafe: true, retryable: true });
    expect(refused.json.detail).toContain('failed its proof');
    expect(await effectsOf(world, 'announced')).toEqual(nothing);
    expect((await world.checkout('paid')).status).toBe(201);
    expect(await effectsOf(world, 'paid')).toEqual(paidOnce);

    store.rules.conditions = true;
    await world.sql('update hapax.bucket_proof set next_try_at = now()');
    await proved(world, 'holds');
    const announced = await world.until('uploads are taken again', async () => {
      const answer = await announce();
      return answer.status === 201 && answer;
    });

    // A store that was exchanged behind its address: what was announced keeps waiting for its bytes.
    store.rules.conditions = false;
    await world.sql('update hapax.bucket_proof set next_try_at = now()');
    await proved(world, 'failed');
    // Bytes that came before the door has read that would be taken.
    let asked = 0;
    await world.until(
      'the door has read the proof',
      async () => (await announce(`later-${(asked += 1)}`)).status === 503,
    );
    const headers = { 'content-type': 'image/png' };
    const bytes = await world.ask('PUT', `/v1/uploads/${announced.json.id}/content`, { body: 'png', headers });
    expect([bytes.status, bytes.json.code]).toEqual([503, 'storage-unavailable']);
    expect([...store.objects.keys()].filter((key) => key.includes(announced.json.id))).toEqual([]);
    expect(await world.state(announced.json.id)).toBe('waiting');
  });

  it('that is away is no failed proof: every process starts without it, and a checkout is paid', async (context) => {
    const [port = 0] = await freePorts(1);
    const world = await worldOf(context, { media: true, env: { S3_ENDPOINT: `http://127.0.0.1:${port}` } });
    expect((await world.checkout('without-s3')).status).toBe(201);
    expect(await effectsOf(world, 'without-s3')).toEqual(paidOnce);
    const row = await world.until('upkeep has tried it', async () => {
      const [found] = await proofs(world);
      return found !== undefined && found.says !== '' && found;
    });
    expect(row).toMatchObject({ state: 'untried', proved_at: null, says: expect.stringMatching(/ECONNREFUSED/) });
    for (const process of world.processes.filter(({ name }) => name !== 'workers/sandbox/main.ts'))
      expect([process.name, ...(await storeLine(process.address))]).toEqual([
        process.name,
        200,
        expect.stringMatching(/^\[~\]object-store: .*is not proved yet: .*ECONNREFUSED/),
      ]);
  });

  it.each([
    ['keeps a wrong checksum', { checksums: false }, [expect.stringContaining('x-amz-checksum-sha256')], 'parts-kept'],
    ['replaces at Complete', { completeConditions: false }, [], 'replaced'],
    ['keeps every rule', {}, [], 'parts-kept'],
  ])('that %s is known by it', async (_, rules, faults, failedComplete) => {
    const store = await StandInStore.start(rules);
    const objects = storeAt(store.url);
    expect(await proveBucket(objects)).toEqual({ kind: 'proved', faults, failedComplete });
    expect([...store.objects.keys()]).toEqual([]);
    objects.close();
    await store.close();
  });

  it('without the bucket, or without a right to it, is not proved yet', async () => {
    const { endpoint, accessKeyId, secretAccessKey } = inject('ground').s3;
    const settings = { endpoint, publicEndpoint: undefined, region: 'us-east-1', accessKeyId };
    const name = `none-${randomBytes(4).toString('hex')}`;
    for (const [store, why] of [
      [openObjectStore({ ...settings, bucket: name, secretAccessKey }), /NoSuchBucket/],
      [openObjectStore({ ...settings, bucket: 'hapax', secretAccessKey: 'wrong' }), /SignatureDoesNotMatch/],
    ] as const) {
      expect(await proveBucket(store)).toEqual({ kind: 'unreachable', why: expect.stringMatching(why) });
      store.close();
    }
  });
});
