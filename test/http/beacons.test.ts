import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Database } from '../../activities/stores/postgres/database.ts';
import { forget } from '../../activities/stores/postgres/upkeep/forget.ts';
import { Uploader } from '../support/uploader.ts';
import { type Ask, World } from '../support/world.ts';

let world: World;
let uploader: Uploader;
beforeAll(async () => {
  world = await World.create(inject('ground'), { workers: 0, upkeep: false });
  uploader = await Uploader.of(world);
});
afterAll(async () => {
  await uploader.close();
  await world.close();
});

type Row = Readonly<Record<string, unknown>>;

const beacon = <Changes extends object>(changes: Changes = {} as Changes) => ({
  id: randomUUID(),
  signal: 'repeated-click',
  ago: 0,
  ...changes,
});
const tell = async (beacons: readonly object[], ask: Ask = {}) =>
  await world.ask('POST', '/v1/beacons', { body: { beacons }, ...ask });
const rowOf = async ({ id }: { id: string }) =>
  (await world.sql<Row>('select * from hapax.beacon where id = $1', id))[0];
const counted = async (labels: string) => {
  const metrics = (await world.ask('GET', '/metrics', { token: null })).text;
  return Number(
    metrics
      .split('\n')
      .find((line) => line.startsWith(`hapax_beacons_total{${labels}`))
      ?.split(' ')[1] ?? 0,
  );
};

describe('beacons', () => {
  it('are kept with their operation, counted, and answered with 204', async () => {
    const { id: operation } = await uploader.announced('told', Buffer.from('abc'));
    const told = beacon({
      ...{ signal: 'recovered', operation, ago: 60_000, took: 4_200, times: 2, screen: 'upload', progress: 40 },
      ...{
        device: 'mobile',
        transitions: [
          { to: 'submitting', after: 0 },
          { to: 'retrying', after: 900 },
        ],
      },
    });
    const answer = await tell([told, beacon()], { headers: { 'hapax-client': 'browser=firefox, device=desktop' } });
    expect([answer.status, answer.text]).toEqual([204, '']);
    const row = (await rowOf(told)) as Row;
    expect(row).toMatchObject({
      ...{ tenant: world.tenants.alpha, environment: 'test', operation_id: operation, signal: 'recovered', times: 2 },
      ...{ took_ms: '4200', screen: 'upload', progress: 40, transitions: told.transitions },
      // What the beacon leaves out is the request's.
      ...{ device: 'mobile', browser: 'firefox', network: 'unknown' },
    });
    const age = Date.now() - (row.at as Date).getTime();
    expect([age >= 59_000, age < 90_000]).toEqual([true, true]);
    expect(await counted('signal="recovered",browser="firefox",device="mobile",network="unknown"')).toBe(1);
  });

  it('that are sent again count once', async () => {
    const batch = [beacon({ network: '2g' }), beacon({ network: '2g' })];
    const answers = await Promise.all(Array.from({ length: 5 }, () => tell(batch)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([204]));
    await tell([...batch, batch[0] as object]);
    expect(await world.sql(`select from hapax.beacon where network = '2g'`)).toHaveLength(2);
    expect(await counted('signal="repeated-click",browser="unknown",device="unknown",network="2g"')).toBe(2);
  });

  it('about an operation of somebody else are about none, and nobody is told', async () => {
    const { id: operation } = await uploader.announced('of alpha', Buffer.from('abc'));
    const told = beacon({ operation });
    for (const token of ['local-beta', 'live-alpha', 'local-alpha.other', 'local-alpha']) {
      const one = { ...told, id: randomUUID() };
      const answer = await tell([one], { token });
      const kept = await rowOf(one);
      expect([token, answer.status, answer.text, kept?.operation_id]).toEqual([
        ...[token, 204, ''],
        token === 'local-alpha' ? operation : null,
      ]);
    }
    const unknown = beacon({ operation: `op_${'0'.repeat(26)}` });
    expect([(await tell([unknown])).status, (await rowOf(unknown))?.operation_id]).toEqual([204, null]);
  });

  it('of one tenant do not stand in the way of another that takes the same id', async () => {
    const told = beacon({ network: '5g' });
    for (const token of ['local-alpha', 'local-beta', 'live-alpha'])
      expect((await tell([told], { token })).status).toBe(204);
    expect(await world.sql(`select from hapax.beacon where network = '5g'`)).toHaveLength(3);
  });

  it('that hold anything else than the schema has are refused with the field, and none of the batch is kept', async () => {
    const well = beacon();
    const refused = await tell([well, beacon({ email: 'ann@example.com' })]);
    expect([refused.status, refused.json.code]).toEqual([400, 'request-invalid']);
    expect(refused.json.detail).toContain('beacons.1');
    expect(refused.text).not.toContain('ann@example.com');
    expect(await rowOf(well)).toBeUndefined();
    const large = await world.ask('POST', '/v1/beacons', {
      body: JSON.stringify({ beacons: [], pad: 'x'.repeat(65_536) }),
    });
    expect([large.status, large.json.code]).toEqual([413, 'body-too-large']);
    expect((await tell([], { token: null })).status).toBe(401);
    expect((await tell([])).json.code).toBe('request-invalid');
  });

  it('may be told by a browser without a user, and only so often', async () => {
    const { token } = (await world.ask('POST', '/v1/subjects')).json as { token: string };
    const statuses: number[] = [];
    let last = await tell([beacon()], { token });
    for (let n = 0; n < 70 && last.status === 204; n += 1) {
      statuses.push(last.status);
      last = await tell([beacon()], { token });
    }
    expect([statuses.length, last.status, last.json.code]).toEqual([60, 429, 'too-many-requests']);
    expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0);
    // Others are heard.
    expect((await tell([beacon()], { token: 'local-alpha.calm' })).status).toBe(204);
  });

  it('are forgotten after 30 days, and go with the data of their operation', async () => {
    const { id: operation } = await uploader.announced('erased', Buffer.from('abc'));
    const [old, young, erased] = [beacon(), beacon(), beacon({ operation })];
    expect((await tell([old, young, erased])).status).toBe(204);
    await world.sql(`update hapax.beacon set at = now() - interval '31 days' where id = $1`, old.id);
    const database = new Database(world.databaseUrl, 'hapax_upkeep');
    await forget(database, 100);
    await database.close();
    expect([await rowOf(old), (await rowOf(young)) !== undefined]).toEqual([undefined, true]);
    await world.sql(`update hapax.operation set fingerprint = '', fingerprint_version = 0 where id = $1`, operation);
    expect(await rowOf(erased)).toBeUndefined();
    // What comes later is tied to it no more.
    const late = beacon({ operation });
    expect([(await tell([late])).status, (await rowOf(late))?.operation_id]).toEqual([204, null]);
  });
});
