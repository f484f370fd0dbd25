import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, it, type TestContext } from 'vitest';
import { operationId, workflowId } from '../../workflows/operation/key.ts';
import { checkoutScope, Lane } from '../support/lane.ts';
import { expectEqualAnswers, moneyHeld, paidOnce, traces } from '../support/one-checkout.ts';
import { heldRequest, plan } from '../support/provider-faults.ts';
import { harmedAt } from '../support/recovery.ts';
import { type Answered, World } from '../support/world.ts';

const beforeNoReturn = ['openPayment', 'authorise'] as const;
const paying = [...beforeNoReturn, 'capture'] as const;

const givenBack = { state: 'cancelled', status: 409, orders: ['released'], receipts: 0 };

describe.concurrent('a cancel of a checkout', { timeout: 150_000 }, () => {
  let world: World;
  let temporal: Connection;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { env: { HAPAX_ANSWER_CACHE: '0' } });
    temporal = Connection.lazy({ address: world.env.TEMPORAL_ADDRESS as string });
  });
  afterAll(async () => {
    await temporal.close();
    await world.close();
  });

  /** A checkout whose call at the provider has left us and not arrived; it arrives when the test lets it. */
  async function heldAt(call: (typeof paying)[number], name: string, tries: 'first' | 'repeated' = 'first') {
    const key = `${name}-${call}`;
    const scope = checkoutScope(world, key);
    const id = operationId(scope, 1);
    // The first try is made twice by Stripe's client, and beside the workflow; what comes then is an activity.
    if (tries === 'repeated') await plan(world, id, call, { fault: 'drop_before', times: 2 });
    await plan(world, id, call, { fault: 'hold_before', outlivesClient: true });
    const asked = outcomeOf(key);
    const release = await heldRequest(world, id);
    const workflow = new Client({ connection: temporal }).workflow.getHandle(workflowId(scope, 1));
    return { id, key, asked, release, workflow };
  }

  /** Who has waited for half a minute in vain asks again, with the same key. */
  const outcomeOf = (key: string): Promise<Answered> =>
    world.until(
      `${key} has an outcome`,
      async () => {
        const told = await world.checkout(key, {}, { headers: { prefer: 'wait=30' } });
        return told.json.action !== 'wait' && told;
      },
      90_000,
    );

  const cancel = (id: string) => world.ask('POST', `/v1/operations/${id}/cancel`);

  /** To its first task that was completed; one that was late is in the history too. */
  async function reset(workflow: WorkflowHandle, id: string) {
    const { runId } = await workflow.describe();
    const firstTask = await world.until('a workflow task is in the history', async () => {
      const { events } = await workflow.fetchHistory();
      return events?.find(({ workflowTaskCompletedEventAttributes: completed }) => !!completed)?.eventId;
    });
    return await temporal.workflowService.resetWorkflowExecution({
      namespace: 'default',
      workflowExecution: { workflowId: workflow.workflowId, runId },
      workflowTaskFinishEventId: firstTask,
      requestId: `reset ${id}`,
      reason: 'a test',
    });
  }

  async function lane(name: string, { onTestFinished }: TestContext): Promise<Lane> {
    const opened = await Lane.open(world, name);
    onTestFinished(() => opened.close());
    return opened;
  }

  it.each(beforeNoReturn)('while %s is under way is honoured; what arrives late moves nothing', async (call) => {
    const { id, asked, release } = await heldAt(call, 'cancelled');
    const [first, second] = [await cancel(id), await cancel(id)];
    expect([first.status, second.status]).toEqual([202, 202]);
    // Opening asks for the payment again, to learn its id, and is told that the first request is still at work.
    if (call === 'openPayment') await release();
    const answer = await asked;
    expect(answer).toMatchObject({ status: 409, json: { code: 'cancelled' } });
    if (call === 'authorise') await release();
    expect(await traces(world, id)).toEqual({ ...givenBack, effects: ['canceled', 'created'] });
    expect(await moneyHeld(world, id)).toBe(0);
    expect((await cancel(id)).status).toBe(202);
  });

  it('while a repeated try waits for its answer is honoured at once', async () => {
    const { id, asked } = await heldAt('authorise', 'in-vain', 'repeated');
    const at = Date.now();
    expect((await cancel(id)).status).toBe(202);
    expect((await asked).json).toMatchObject({ code: 'cancelled' });
    // The try itself would have waited for 10.8 s.
    expect(Date.now() - at).toBeLessThan(10_000);
    expect(await traces(world, id)).toEqual({ ...givenBack, effects: ['canceled', 'created'] });
  });

  it('after the capture was sent comes too late: the checkout goes forward', async () => {
    const { id, asked, release } = await heldAt('capture', 'too-late');
    const answer = await cancel(id);
    expect(answer).toMatchObject({ status: 409, json: { code: 'past-no-return' } });
    await release();
    expect((await asked).status).toBe(201);
    expect(await traces(world, id)).toEqual(paidOnce);
    expect(await cancel(id)).toMatchObject({ status: 409, json: { code: 'already-settled', state: 'succeeded' } });
  });

  it('before any worker has begun leaves nothing behind', async (context) => {
    const one = await lane('unbegun', context);
    await one.start();
    expect((await cancel(one.id)).status).toBe(202);
    await one.healthy();
    await one.settled();
    expect(await traces(world, one.id)).toEqual({ ...givenBack, orders: [], effects: [] });
    await expectEqualAnswers(one, 409);
  });

  it('whose signal is lost is found by upkeep', async () => {
    const { id, asked, release } = await heldAt('authorise', 'unheard');
    await world.sql('update hapax.operation set cancel_requested_at = now(), next_look_at = now() where id = $1', id);
    expect((await asked).json).toMatchObject({ code: 'cancelled' });
    await release();
    expect(await moneyHeld(world, id)).toBe(0);
  });

  it('by Temporal is a request like any other before the capture', async () => {
    const { id, asked, release, workflow } = await heldAt('authorise', 'by-temporal');
    await workflow.cancel();
    expect((await asked).json).toMatchObject({ code: 'cancelled' });
    await release();
    expect(await traces(world, id)).toEqual({ ...givenBack, effects: ['canceled', 'created'] });
  });

  it('by Temporal before anything has run leaves nothing behind', async (context) => {
    const one = await lane('unbegun-by-temporal', context);
    await one.start();
    await world.until('the workflow is there', () =>
      one.workflow.cancel().then(
        () => true,
        () => false,
      ),
    );
    await one.healthy();
    await one.settled();
    expect(await traces(world, one.id)).toMatchObject({ state: 'cancelled', receipts: 0 });
    expect(await moneyHeld(world, one.id)).toBe(0);
  });

  it('by Temporal after the capture was sent changes nothing', async () => {
    const { id, asked, release, workflow } = await heldAt('capture', 'late-by-temporal');
    await workflow.cancel();
    await release();
    expect((await asked).status).toBe(201);
    expect(await traces(world, id)).toEqual(paidOnce);
  });

  it.each(paying)('that is a terminated workflow during %s is none: upkeep starts it again', async (call) => {
    const { id, asked, release, workflow } = await heldAt(call, 'terminated', 'repeated');
    await workflow.terminate('a test');
    await release();
    expect((await asked).status).toBe(201);
    expect(await traces(world, id)).toEqual(paidOnce);
  });

  it('that is a reset of the workflow is none: what has happened is not done again', async () => {
    const { id, asked, release, workflow } = await heldAt('capture', 'reset');
    await reset(workflow, id);
    await release();
    expect((await asked).status).toBe(201);
    expect(await traces(world, id)).toEqual(paidOnce);
  });

  it('of a checkout that is reset after its end gives the same end', async () => {
    const key = 'reset-at-the-end';
    const first = await outcomeOf(key);
    const scope = checkoutScope(world, key);
    const id = operationId(scope, 1);
    const workflow = new Client({ connection: temporal }).workflow.getHandle(workflowId(scope, 1));
    await workflow.result();
    const { runId: again } = await reset(workflow, id);
    const { workflow: client } = new Client({ connection: temporal });
    expect(await client.getHandle(workflow.workflowId, again ?? undefined).result()).toBe('succeeded');
    expect(await traces(world, id)).toEqual(paidOnce);
    expect((await world.checkout(key)).text).toBe(first.text);
  });

  it('after the worker was killed between commit and task completion keeps what was committed', async (context) => {
    const one = await lane('committed', context);
    await harmedAt(one, 'kill', 'complete:after-record');
    expect(await cancel(one.id)).toMatchObject({ status: 409, json: { code: 'already-settled' } });
    await one.healthy();
    expect(await one.workflow.result()).toBe('succeeded');
    expect(await traces(world, one.id)).toEqual(paidOnce);
    await expectEqualAnswers(one, 201);
  });

  it.for(['capture:before-effect', 'capture:after-effect'])(
    'after the worker was killed at %s goes forward',
    async (point, context) => {
      const one = await lane(`killed-${point}`, context);
      await harmedAt(one, 'kill', point);
      expect(await cancel(one.id)).toMatchObject({ status: 409, json: { code: 'past-no-return' } });
      await one.healthy();
      await one.settled();
      expect(await traces(world, one.id)).toEqual(paidOnce);
    },
  );
});
