import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Database, Statement } from '../../activities/stores/postgres/database.ts';
import { LedgerFault } from '../../activities/stores/postgres/ledger-fault.ts';
import { operationId, workflowId } from '../../workflows/operation/key.ts';
import { checkoutScope } from '../support/lane.ts';
import { moneyHeld, paidOnce, stockOf, traces } from '../support/one-checkout.ts';
import { workerHere } from '../support/worker-here.ts';
import { World } from '../support/world.ts';

/** More than a checkout has transactions, so that the last of these meet no fault at all. */
const most = 12;
const lost = (['before it runs', 'after its commit'] as const).flatMap((when) =>
  Array.from({ length: most }, (_, n) => ({ when, nth: n + 1 })),
);
type Lost = (typeof lost)[number];

describe('a checkout for which PostgreSQL is away', () => {
  let world: World;
  let temporal: Connection;
  let worker: { stop(): Promise<void> };
  const paying = new Map(lost.map((one) => [`paid-${one.when}-${one.nth}`.replaceAll(' ', '-'), one]));
  const declining = new Map(lost.map((one) => [`declined-${one.when}-${one.nth}`.replaceAll(' ', '-'), one]));
  const idOf = (key: string) => operationId(checkoutScope(world, key), 1);

  beforeAll(async () => {
    world = await World.create(inject('ground'), { workers: 0 });
    temporal = Connection.lazy({ address: world.env.TEMPORAL_ADDRESS as string });
    const plans = new Map([...paying, ...declining].map(([key, one]) => [idOf(key), one]));
    worker = await workerHere(world.env, (own) => ({ ...own, database: forgetful(own.database, plans) }));
    const patient = { headers: { prefer: 'wait=30' } };
    // A busy machine takes fewer at once, and says so.
    const taken = async (key: string, changes = {}) =>
      await world.until(
        `${key} is taken`,
        async () => (await world.checkout(key, changes, patient)).status < 500,
        90_000,
      );
    await Promise.all([
      ...[...paying.keys()].map((key) => taken(key)),
      ...[...declining.keys()].map((key) => taken(key, { paymentMethod: 'pm_card_visa_chargeDeclined' })),
    ]);
  }, 240_000);
  afterAll(async () => {
    await worker.stop();
    await temporal.close();
    await world.close();
  });

  async function endOf(key: string): Promise<unknown> {
    return await new Client({ connection: temporal }).workflow
      .getHandle(workflowId(checkoutScope(world, key), 1))
      .result();
  }

  it.each([...paying].map(([key, one]) => ({ key, ...one })))(
    'in transaction $nth, $when, is paid once',
    async ({ key }) => {
      expect(await endOf(key)).toBe('succeeded');
      expect(await traces(world, idOf(key))).toEqual(paidOnce);
    },
  );

  it.each([...declining].map(([key, one]) => ({ key, ...one })))(
    'in transaction $nth, $when, and which is declined, is undone once',
    async ({ key }) => {
      expect(await endOf(key)).toBe('refused');
      expect(await traces(world, idOf(key))).toEqual({
        effects: ['canceled', 'created', 'declined'],
        state: 'refused',
        status: 402,
        orders: ['released'],
        receipts: 0,
      });
      expect(await moneyHeld(world, idOf(key))).toBe(0);
    },
  );

  it('has left the stock as the orders say', async () => {
    expect(await stockOf(world)).toBe(1_000_000 - paying.size);
  });
});

/** A ledger whose n-th transaction for an operation fails, or is committed and its answer lost. */
function forgetful(database: Database, plans: ReadonlyMap<string, Lost>): Database {
  const seen = new Map<string, number>();
  const around = async <T>(first: Statement | undefined, run: () => Promise<T>): Promise<T> => {
    const operation = [...plans.keys()].find((id) => first?.values.includes(id));
    if (operation === undefined) return await run();
    const nth = (seen.get(operation) ?? 0) + 1;
    seen.set(operation, nth);
    const plan = plans.get(operation);
    const away = new LedgerFault('unavailable', 'PostgreSQL cannot be used now: a test');
    if (plan?.nth !== nth) return await run();
    if (plan.when === 'after its commit') await run();
    throw away;
  };
  const flush: Database['flush'] = (tenant, ...statements) =>
    around(statements[0], () => database.flush(tenant, ...statements));
  const transaction: Database['transaction'] = (tenant, opening, work) =>
    around(opening[0], () => database.transaction(tenant, opening, work));
  return new Proxy(database, {
    get(target, member) {
      if (member === 'flush') return flush;
      if (member === 'transaction') return transaction;
      const value = Reflect.get(target, member, target) as unknown;
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
