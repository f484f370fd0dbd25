import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { operationId } from '../../workflows/operation/key.ts';
import { fastestOf } from '../support/fastest-of.ts';
import { checkoutScope } from '../support/lane.ts';
import { paidOnce, traces } from '../support/one-checkout.ts';
import { ownTemporal } from '../support/own-server.ts';
import { heldRequest, plan } from '../support/provider-faults.ts';
import { World } from '../support/world.ts';

const patient = { headers: { prefer: 'wait=30' } };

describe('without its Temporal server', () => {
  let temporal: Awaited<ReturnType<typeof ownTemporal>>;
  let world: World;
  beforeAll(async () => {
    temporal = await ownTemporal(inject('ground'));
    world = await World.create(inject('ground'), {
      temporalAddress: temporal.address,
      env: { HAPAX_ANSWER_CACHE: '0' },
    });
  });
  afterAll(async () => {
    await world.close();
    await temporal.stop();
  });

  const idOf = (key: string) => operationId(checkoutScope(world, key), 1);

  async function wait(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
  }

  it('a claim that no door could start is started by upkeep within 5 s', async () => {
    const door = await world.start('workers/http.ts', { TEMPORAL_ADDRESS: '127.0.0.1:9' });
    world.doors.push(door);
    /** @returns the age of the oldest of five claims when all are started. Milliseconds. */
    async function startedAfter(round: number): Promise<number> {
      const keys = Array.from({ length: 5 }, (_, n) => `unstarted-${round}-${n}`);
      const asked = keys.map((key) => world.checkout(key, {}, { door: 1, ...patient }));
      const started = await world.until('all are started', async () => {
        const rows = await world.sql<{ age: number }>(
          `select extract(epoch from now() - created_at)::float * 1000 as age from hapax.operation
           where key = any($1) and run_id is not null`,
          keys,
        );
        return rows.length === keys.length && Math.max(...rows.map(({ age }) => age));
      });
      console.log(`Unstarted claims were started after ${(started / 1_000).toFixed(1)} s`);
      expect((await Promise.all(asked)).map(({ status }) => status)).toEqual(keys.map(() => 201));
      for (const key of keys) expect(await traces(world, idOf(key))).toEqual(paidOnce);
      return started;
    }
    expect(await fastestOf(5_000, startedAfter)).toBeLessThanOrEqual(5_000);
  }, 150_000);

  it('and with its whole database deleted, everything in flight still ends right, once', async () => {
    const calls = ['openPayment', 'authorise', 'capture'] as const;
    const paying = calls.flatMap((call) => [0, 1, 2].map((n) => ({ call, key: `lost-${call}-${n}` })));
    for (const { call, key } of paying)
      await plan(world, idOf(key), call, { fault: 'hold_before', outlivesClient: true });
    const declining = { key: 'lost-undo', changes: { paymentMethod: 'pm_card_visa_chargeDeclined' } };
    await plan(world, idOf(declining.key), 'undo', { fault: 'hold_before', outlivesClient: true });
    const asked = [
      ...paying.map(({ key }) => world.checkout(key, {}, patient)),
      world.checkout(declining.key, declining.changes, patient),
    ];
    const releases = await Promise.all([...paying, declining].map(({ key }) => heldRequest(world, idOf(key))));
    await temporal.lose();
    // As upkeep leaves operations that it has looked after for an hour: only the loss itself brings them back in time.
    await world.sql(`update hapax.operation set next_look_at = now() + interval '10 minutes' where settled_at is null`);
    const meanwhile = ['meanwhile-0', 'meanwhile-1'].map((key) => world.checkout(key, {}, patient));
    // Upkeep cannot write when it finds the loss, and must find it again.
    const blocker = new pg.Client({ connectionString: world.databaseUrl });
    await blocker.connect();
    await blocker.query('begin');
    await blocker.query('select from hapax.operation where id = $1 for update', [idOf('lost-capture-0')]);
    await temporal.startAnew();
    await wait(7_000);
    await blocker.end();
    for (const release of releases) await release();
    const answers = await Promise.all([...asked, ...meanwhile]);
    for (const { key } of paying)
      await world.until(`${key} is paid`, async () => (await world.state(idOf(key))) === 'succeeded', 30_000);
    await world.until('the refusal', async () => (await world.state(idOf(declining.key))) === 'refused', 30_000);
    for (const { key } of paying) expect(await traces(world, idOf(key))).toEqual(paidOnce);
    for (const key of ['meanwhile-0', 'meanwhile-1']) expect(await traces(world, idOf(key))).toEqual(paidOnce);
    expect(await traces(world, idOf(declining.key))).toMatchObject({
      effects: ['canceled', 'created', 'declined'],
      orders: ['released'],
    });
    // Nobody was told otherwise while it lasted: an outcome, or that there is none yet.
    for (const { status } of answers) expect([201, 402, 409]).toContain(status);
    expect((await world.checkout('lost-capture-0')).status).toBe(201);
  }, 150_000);
});
