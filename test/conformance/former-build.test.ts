import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, inject, it, type TestContext } from 'vitest';
import { beginStep } from '../../activities/stores/postgres/ledger/begin-step.ts';
import { arrive } from '../../activities/stores/postgres/ledger/arrive.ts';
import { take } from '../../activities/stores/postgres/ledger/take.ts';
import type { Database } from '../../activities/stores/postgres/database.ts';
import type { Gateway } from '../../client/gateway.ts';
import { Uploads } from '../../client/uploads/uploads.ts';
import type { Ports } from '../../workers/operations.ts';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';
import { samenessOf } from '../../workflows/operation/sameness.ts';
import { uploadFlow } from '../../workflows/upload.flow.ts';
import { bilingual, type Spoken } from '../support/former-statements.ts';
import { Lane } from '../support/lane.ts';
import { lostTasks } from '../support/lost-tasks.ts';
import { moneyHeld, paidOnce, traces } from '../support/one-checkout.ts';
import { placedOnce } from '../support/one-upload.ts';
import { heldRequest, plan } from '../support/provider-faults.ts';
import { Uploader } from '../support/uploader.ts';
import { workerHere } from '../support/worker-here.ts';
import { World } from '../support/world.ts';

type Turn = (n: number) => boolean;

/** Which transactions of an operation are of the former build, by their number from 0. */
const turns: readonly (readonly [name: string, former: Turn])[] = [
  ['the former build alone', () => true],
  ['the former build first, then each in turn', (n) => n % 2 === 0],
  ['this build first, then each in turn', (n) => n % 2 === 1],
  ['the former build for its first two transactions', (n) => n < 2],
  ['this build for its first two transactions', (n) => n >= 2],
];

const declined = { paymentMethod: 'pm_card_chargeDeclined' };

describe('the former build beside this one', () => {
  let world: World;
  let uploader: Uploader;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { doors: 0, workers: 0, upkeep: false, media: true });
    uploader = await Uploader.of(world);
  });
  afterAll(async () => {
    await uploader.close();
    await world.close();
  });

  const caller = () => ({ tenant: world.tenants.alpha, environment: 'test', subject: 'default' }) as const;

  async function lane({ onTestFinished }: TestContext, name: string, changes = {}): Promise<Lane> {
    const opened = await Lane.open(world, name, changes);
    onTestFinished(() => opened.close());
    return opened;
  }

  /** A worker's ports, each of whose transactions is of one build or the other. */
  function both(former: Turn, spoken: Spoken): (own: Ports) => Ports {
    let n = 0;
    return (own) => ({ ...own, database: bilingual(own.database, () => former(n++), spoken) });
  }

  /** What the ledger keeps of an operation, apart from times and from names that are its own. */
  async function ledgerOf(id: string) {
    const [operation] = await world.sql(
      `select state, fence, no_return_at is not null as forward, ending, refusal, renewable, answer_status,
         replace(answer_headers::text, id, '') as answer_headers,
         result is null as empty, replace(convert_from(answer_body, 'utf8'), id, '') = convert_from(answer_body, 'utf8') as nameless,
         answer_expires_at - settled_at as answer_for, tombstone_until - settled_at as key_for, sweep_at - settled_at as sweep_after
       from hapax.operation where id = $1`,
      id,
    );
    const steps = await world.sql(
      `select name, position, state, attempt, epoch, undo_epoch, no_return, irreversible, refusal, ended_at is not null as ended
       from hapax.step where operation_id = $1 order by position`,
      id,
    );
    return { operation, steps };
  }

  /** A checkout from its claim to its end. */
  async function told(context: TestContext, name: string, former: Turn, changes: object) {
    const one = await lane(context, name, { ...changes });
    const spoken = { former: 0, present: 0 };
    await one.healthy(both(former, spoken));
    await one.start();
    await one.settled();
    return { id: one.id, run: one.workflow, spoken };
  }

  /**
   * A checkout of which no task was lost, and nothing tried twice: a worker that gets no processor for seconds tells its story
   * again, and that says nothing of a usual checkout.
   */
  async function toldOnce(...asked: Parameters<typeof told>) {
    for (let tries = 1; ; tries += 1) {
      const one = await told(...asked);
      const { events } = await one.run.fetchHistory();
      const near = (events ?? []).every((event) => !event.activityTaskScheduledEventAttributes);
      if ((near && (await lostTasks(one.run)) === 0) || tries === 5) return one;
    }
  }

  it.for(turns)('carries a checkout to the same rows, with %s', async ([, former], context) => {
    const present = await toldOnce(context, 'present', () => false, {});
    const mixed = await toldOnce(context, 'mixed', former, {});
    expect(present.spoken).toEqual({ former: 0, present: 6 });
    expect(mixed.spoken.former).toBeGreaterThan(0);
    expect(await traces(world, mixed.id)).toEqual(paidOnce);
    expect(await ledgerOf(mixed.id)).toEqual(await ledgerOf(present.id));
  });

  it.for(turns)('gives back what a declined card has left, with %s', async ([, former], context) => {
    const present = await toldOnce(context, 'present', () => false, declined);
    const mixed = await toldOnce(context, 'mixed', former, declined);
    expect(mixed.spoken.former).toBeGreaterThan(0);
    expect(await traces(world, mixed.id)).toMatchObject({ state: 'refused', orders: ['released'], receipts: 0 });
    expect(await moneyHeld(world, mixed.id)).toBe(0);
    expect(await ledgerOf(mixed.id)).toEqual(await ledgerOf(present.id));
  });

  it.for(turns)('honours a cancel while a payment is in doubt, with %s', async ([, former], context) => {
    const one = await lane(context, 'cancelled');
    await plan(world, one.id, 'authorise', { fault: 'drop_before', times: 2 });
    await plan(world, one.id, 'authorise', { fault: 'hold_before', outlivesClient: true });
    await one.healthy(both(former, { former: 0, present: 0 }));
    await one.start();
    const release = await heldRequest(world, one.id);
    expect(await world.state(one.id)).toBe('indeterminate');
    expect(await one.cancel()).toBe('requested');
    await one.settled();
    await release();
    expect(await traces(world, one.id)).toMatchObject({ state: 'cancelled', orders: ['released'], receipts: 0 });
    expect(await moneyHeld(world, one.id)).toBe(0);
  });

  it.for([
    ['the former build', 'this one', true],
    ['this build', 'the former one', false],
  ] as const)('is fenced and fences: what %s has taken over, %s carries on', async ([, , formerFirst], context) => {
    const one = await lane(context, 'taken-over');
    await one.start();
    const { tenant, environment, flow } = one.scope;
    const operation = { id: one.id, tenant, environment, flow };
    const of = (former: boolean): Database => bilingual(uploader.database, () => former);
    const first = of(formerFirst);
    expect(await take(first, operation, 'a run that is gone')).toMatchObject({
      kind: 'taken',
      state: 'running',
      fence: 1,
    });
    await one.healthy(both(() => !formerFirst, { former: 0, present: 0 }));
    await one.settled();
    expect(await traces(world, one.id)).toEqual(paidOnce);
    const step = {
      step: 'reserve',
      position: 0,
      input: {},
      carry: [],
      personAfter: 1,
      patience: 1,
      noReturn: false,
    } as const;
    const late = { operation, fence: 1, ...step, effect: 'transaction', irreversible: false } as const;
    await expect(first.flush(tenant, ...beginStep(late, {}))).rejects.toMatchObject({ code: 'settled' });
    expect(await take(first, operation, 'a run that is gone')).toEqual({ kind: 'settled', state: 'succeeded' });
  });

  it('shares a queue with it, and each of many checkouts is paid once', async (context) => {
    const spoken = { former: 0, present: 0 };
    for (const former of [true, false]) {
      const worker = await workerHere(
        world.env,
        both(() => former, spoken),
      );
      context.onTestFinished(() => worker.stop());
    }
    const start = (key: string) =>
      uploader.gateway.start(checkoutFlow, {
        ...caller(),
        key,
        request: checkoutFlow.request.parse(world.cart(key)),
      });
    let dozens = 0;
    // One of them may begin to work only when the other has done the first dozen.
    await world.until('both have worked', async () => {
      dozens += 1;
      const paid = await Promise.all(Array.from({ length: 12 }, (_, n) => start(`shared-${dozens}-${n}`)));
      for (const { id } of paid) {
        await world.until(`${id} is paid`, async () => (await world.state(id)) === 'succeeded');
        expect(await traces(world, id)).toEqual(paidOnce);
      }
      return Math.min(spoken.former, spoken.present) > 0;
    });
  });

  it.for([
    ['worker', 'door', true],
    ['door', 'worker', false],
  ] as const)('brings an upload to its place: its %s with the %s of this one', async ([, , formerWorker], context) => {
    const bytes = Buffer.from(`bytes of ${String(formerWorker)}`);
    const spoken = { former: 0, present: 0 };
    const worker = await workerHere(
      world.env,
      both(() => formerWorker, spoken),
    );
    context.onTestFinished(() => worker.stop());
    const { gateway, store } = uploader;
    const request = { name: 'a', size: bytes.length, type: 'text/plain', destination: 'inbox' };
    const key = `beside-${String(formerWorker)}`;
    const announced = await gateway.start(uploadFlow, { ...caller(), key, request });
    const record = (await gateway.status(world.tenants.alpha, announced.id)) ?? expect.unreachable();
    await world.until('it waits for its bytes', async () => (await world.state(record.id)) === 'waiting');
    const database = bilingual(uploader.database, () => !formerWorker, spoken);
    // What has arrived is said in the words of the door's build.
    const arriving: Pick<Gateway, 'arrive' | 'status'> = {
      status: async (tenant, id) => await gateway.status(tenant, id),
      async arrive(_flow, at, step, evidence, evenDue = true) {
        const came = { step, position: 0, evidence, sameness: samenessOf(evidence, ['objectKey']), evenDue };
        const arrived = await arrive(database, at, came);
        await gateway.signal(at, 'wake');
        return arrived as never;
      },
    };
    const uploads = new Uploads({ database, objects: store, gateway: arriving, log: console.error });
    expect(
      (
        await uploads.receiveBytes(record, {
          stream: Readable.from([bytes]),
          contentLength: bytes.length,
          contentType: undefined,
        })
      ).kind,
    ).toBe('received');
    await world.until('it is placed', async () => (await world.state(record.id)) === 'succeeded');
    await placedOnce(uploader, record.id, bytes);
    expect(Math.min(spoken.former, spoken.present)).toBeGreaterThan(0);
  });
});
