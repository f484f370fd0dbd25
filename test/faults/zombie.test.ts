import { afterAll, beforeAll, describe, expect, inject, it, type TestContext } from 'vitest';
import { stepKey } from '../../workflows/operation/key.ts';
import { Lane } from '../support/lane.ts';
import { expectEqualAnswers, moneyHeld, paidOnce, stockOf, traces } from '../support/one-checkout.ts';
import type { ProcessHandle } from '../support/process-handle.ts';
import { heldRequest, plan, releaseAll } from '../support/provider-faults.ts';
import { harmedAt } from '../support/recovery.ts';
import { World } from '../support/world.ts';

/** Longer than a thawed worker takes to do what it was about to do. */
const awake = 1_500;
/** A frozen worker holds its operation's row, and others' with it: PostgreSQL ends that after 3 s. */
const lockedFor = 30_000;
/** Temporal records a run that is at work for longer than 80 % of a workflow task's 2 s; a call is given up after 2.7 s. */
const longerThanTask = 2_300;
/** What a cancelled checkout leaves at the provider and in the ledger. */
const givenUp = { effects: ['canceled', 'created'], state: 'cancelled' };

describe.concurrent('a worker that is frozen', { timeout: 180_000 }, () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { workers: 0, upkeep: false });
  });
  afterAll(() => world.close());

  async function lane(name: string, { onTestFinished }: TestContext, changes = {}): Promise<Lane> {
    const opened = await Lane.open(world, name, changes);
    onTestFinished(() => opened.close());
    return opened;
  }

  /** All that an operation has in the ledger, in one look; without what upkeep notes of its own looks. */
  async function rows(id: string) {
    const [all] = await world.sql<{ operation: Row; steps: Row[]; orders: Row[] }>(
      `select to_jsonb(o) - '{looks,next_look_at}'::text[] as operation,
         (select jsonb_agg(to_jsonb(s) order by name) from hapax.step s where operation_id = o.id) as steps,
         (select jsonb_agg(to_jsonb(c)) from hapax.customer_order c where operation_id = o.id) as orders
       from hapax.operation o where id = $1`,
      id,
    );
    if (all === undefined) throw new Error(`${id} is not in the ledger`);
    return all;
  }

  /** Sessions that have been waiting for their client inside a transaction for longer than one of ours ever does. */
  async function idleTransactions(): Promise<number> {
    const sessions = await world.sql(
      `select from pg_stat_activity where datname = current_database() and state = 'idle in transaction'
         and state_change < now() - interval '100 milliseconds' and application_name = 'hapax hapax_app'`,
    );
    return sessions.length;
  }

  async function asleep(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
  }

  type Row = Readonly<Record<string, unknown>>;
  type Sent = { readonly status: number | null; readonly replayed: boolean };

  /** Waits until the provider has answered a request that came with a step's key. */
  async function answered(id: string, step: string, wanted: (sent: Sent) => boolean): Promise<Sent> {
    const query = new URLSearchParams({ key: stepKey(id, step, 1) });
    return await world.until(`the late ${step} is answered`, async () => {
      const sent = (await (await fetch(`${world.sandbox.address}/_requests?${query}`)).json()) as Sent[];
      return sent.find((one) => one.status !== null && wanted(one));
    });
  }

  /** The frozen worker's operation is ended by another one. */
  async function overtaken(one: Lane, cancel: 'requested' | 'past-no-return'): Promise<void> {
    expect(await one.cancel()).toBe(cancel);
    await one.healthy();
    await one.settled();
  }

  /** The worker goes on from where it was frozen, and writes nothing. @returns what `acted` saw of it outside */
  async function thawed<T>(zombie: ProcessHandle, id: string, acted: () => Promise<T>): Promise<T> {
    const before = await rows(id);
    zombie.signal('SIGCONT');
    const seen = await acted();
    await asleep(awake);
    expect(await rows(id)).toEqual(before);
    return seen;
  }
  const unseen = () => Promise.resolve();

  it('before it confirms, and thawed after the undo, is refused by the provider and writes nothing', async (context) => {
    const one = await lane('zombie-confirm', context);
    const zombie = await harmedAt(one, 'freeze', 'authorise:before-effect');
    await overtaken(one, 'requested');
    const late = await thawed(zombie, one.id, () => answered(one.id, 'authorise', () => true));
    expect(late.status).toBe(400);
    expect(await traces(world, one.id)).toMatchObject({ ...givenUp, orders: ['released'] });
    expect(await moneyHeld(world, one.id)).toBe(0);
    await expectEqualAnswers(one, 409);
  });

  it('before it opens the payment, and thawed after the undo, gets the payment that was cancelled', async (context) => {
    const one = await lane('zombie-create', context);
    const zombie = await harmedAt(one, 'freeze', 'openPayment:before-effect');
    await overtaken(one, 'requested');
    await thawed(zombie, one.id, () => answered(one.id, 'openPayment', ({ replayed }) => replayed));
    expect(await traces(world, one.id)).toMatchObject(givenUp);
  });

  it('before it captures is overtaken: a cancel comes too late, and there is one capture', async (context) => {
    const one = await lane('zombie-capture', context);
    const zombie = await harmedAt(one, 'freeze', 'capture:before-effect');
    await overtaken(one, 'past-no-return');
    await thawed(zombie, one.id, unseen);
    expect(await traces(world, one.id)).toEqual(paidOnce);
    await expectEqualAnswers(one, 201);
  });

  it.for(['reserve:after-effect', 'complete:after-effect'])(
    'inside a transaction at %s loses it within seconds: others go on, and the effect is there once',
    async (point, context) => {
      // An item of their own: the tests beside this one hold the mug.
      const sku = point.replace(':', '-');
      await world.sql(
        `insert into hapax.catalogue_item select tenant, environment, $1, name, price_minor, currency, 2
         from hapax.catalogue_item where sku = 'mug-blue' and environment = 'test'`,
        sku,
      );
      const items = [{ sku, quantity: 1 }];
      const one = await lane(`zombie-${point}`, context, { items });
      const other = await lane(`beside-${point}`, context, { items });
      const zombie = await harmedAt(one, 'freeze', point);
      await world.until('PostgreSQL has ended its session', async () => (await idleTransactions()) === 0, lockedFor);
      await Promise.all([one.healthy(), other.healthy()]);
      await other.start();
      await other.settled();
      await one.settled();
      await thawed(zombie, one.id, unseen);
      expect(await traces(world, one.id)).toEqual(paidOnce);
      expect(await stockOf(world, sku)).toBe(0);
    },
  );

  /** A worker that is frozen between capture and order, while its successor asks for the capture again and is held. */
  async function besideSuccessor(context: TestContext, name: string, slow?: 'slow') {
    const one = await lane(name, context);
    // Whoever asks again for what was captured waits for the answer: only the zombie could go past it.
    await plan(world, one.id, 'capture', { fault: 'hold_before', after: 1, times: 10 });
    if (slow !== undefined) await plan(world, one.id, 'authorise', { fault: 'delay_before', delayMs: longerThanTask });
    const zombie = await harmedAt(one, 'freeze', 'complete:before-effect');
    await one.healthy();
    await heldRequest(world, one.id);
    const fence = Number((await rows(one.id)).operation.fence);
    return { one, zombie, fence };
  }

  it('in the middle of a checkout, and thawed beside its successor, writes nothing', async (context) => {
    let met = await besideSuccessor(context, 'zombie-beside');
    // On a busy machine Temporal records the run half way; the successor then goes on in it, as the test below has it.
    for (let again = 1; met.fence === 1 && again < 10; again++)
      met = await besideSuccessor(context, `zombie-beside-${again}`);
    expect(met.fence).toBe(2);
    const { one, zombie } = met;
    // Where the zombie takes the operation over, its own send has its turn too.
    await world.sql(
      `update hapax.step set last_sent_at = now() - interval '1 minute' where operation_id = $1 and name = 'capture'`,
      one.id,
    );
    zombie.signal('SIGCONT');
    const end = Date.now() + awake;
    while (Date.now() < end) {
      const { operation, steps, orders } = await rows(one.id);
      expect(operation.settled_at).toBeNull();
      expect(orders).toEqual([expect.objectContaining({ state: 'pending' })]);
      const [authorise, capture, ...others] = steps;
      expect(authorise).toMatchObject({ name: 'authorise', state: 'done' });
      expect(['sent', 'unknown']).toContain(capture?.state);
      expect(others.map(({ name }) => name)).toEqual(['openPayment', 'reserve']);
      await asleep(50);
    }
    await world.until('it is paid', async () => {
      await releaseAll(world, one.id);
      return (await world.state(one.id)) === 'succeeded';
    });
    expect(await traces(world, one.id)).toEqual(paidOnce);
  });

  it('in the middle of a run that its successor goes on with has the same right to write, and they pay once', async (context) => {
    let met = await besideSuccessor(context, 'zombie-within', 'slow');
    // A busy machine may be too late to record the run half way; its successor then takes it over, as in the test above.
    for (let again = 1; met.fence !== 1 && again < 10; again++)
      met = await besideSuccessor(context, `zombie-within-${again}`, 'slow');
    const { one, zombie, fence } = met;
    // Temporal has recorded the run until the authorisation, so that nobody has had to take it over.
    expect(fence).toBe(1);
    zombie.signal('SIGCONT');
    await one.settled();
    await releaseAll(world, one.id);
    await asleep(awake);
    expect(await traces(world, one.id)).toEqual(paidOnce);
    await expectEqualAnswers(one, 201);
  });

  it('before it takes the operation, and thawed in the middle of its successor, cannot stop the checkout by dying', async (context) => {
    const one = await lane('zombie-take', context);
    await world.start('workers/upkeep.ts', { HAPAX_TASK_QUEUE: one.queue });
    await plan(world, one.id, 'authorise', { fault: 'hold_before', outlivesClient: true });
    const zombie = await harmedAt(one, 'freeze', 'reserve:before-effect');
    await one.healthy();
    const release = await heldRequest(world, one.id);
    // As upkeep leaves an operation that it has looked after for an hour.
    await world.sql(`update hapax.operation set next_look_at = now() + interval '10 minutes' where id = $1`, one.id);
    zombie.signal('SIGCONT');
    await world.until('the thawed worker has taken the operation', async () => {
      const [row] = await world.sql<{ fence: string }>('select fence from hapax.operation where id = $1', one.id);
      return Number(row?.fence) > 1;
    });
    // It has taken the right to write from its successor, and dies with it.
    await zombie.kill();
    await release();
    await one.settled();
    expect(await traces(world, one.id)).toEqual(paidOnce);
    await expectEqualAnswers(one, 201);
  });
});
