import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { operationId } from '../../workflows/operation/key.ts';
import { createFlowActivities } from '../flows/own-registrations.ts';
import { entryTable } from '../flows/guestbook/entry-steps.ts';
import { guestbookFlow } from '../flows/guestbook/guestbook.flow.ts';
import { ownBundle, ownGateway } from '../support/own-flows.ts';
import { workerHere } from '../support/worker-here.ts';
import { World } from '../support/world.ts';

const nothing = { entries: [], steps: [] };
const signed = { entries: [{ stamped: false }], steps: ['sign done'] };
const stamped = { entries: [{ stamped: true }], steps: ['sign done', 'stamp done'] };

describe('a row step whose worker dies with SIGKILL', () => {
  let world: World;
  let bundle: string;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { doors: 0, workers: 0, upkeep: false });
    await world.sql(entryTable);
    bundle = await ownBundle(world);
  });
  afterAll(() => world.close());

  it.each([
    ['sign:before-effect', nothing],
    ['sign:after-effect', nothing],
    ['sign:after-record', signed],
    ['stamp:after-effect', signed],
    ['stamp:after-record', stamped],
  ])('at %s has effect and record or neither, and is done once by the next worker', async (point, then) => {
    const key = point.replace(':', '-');
    const env = {
      ...world.env,
      HAPAX_TASK_QUEUE: `${world.env.HAPAX_TASK_QUEUE}-${key}`,
      HAPAX_WORKFLOW_BUNDLE: bundle,
    };
    const caller = { tenant: world.tenants.alpha, environment: 'test', subject: 'default', key } as const;
    const id = operationId({ ...caller, flow: guestbookFlow.name }, 1);
    const left = async () => {
      const steps = await world.sql<{ step: string }>(
        `select name || ' ' || state as step from hapax.step where operation_id = $1 order by position`,
        id,
      );
      const entries = await world.sql('select stamped from guestbook.entry where operation_id = $1', id);
      return { entries, steps: steps.map(({ step }) => step) };
    };
    const victim = await world.start('test/support/faulty-worker.ts', env, ['kill', point]);
    const { gateway, close } = await ownGateway(env);
    await gateway.start(guestbookFlow, { ...caller, request: { page: key, words: 'Hello' } });
    await victim.gone();
    expect(await left()).toEqual(then);
    const next = await workerHere(env, undefined, (stores) => createFlowActivities(stores));
    await world.until('it has settled', async () => (await world.state(id)) === 'succeeded');
    expect(await left()).toEqual(stamped);
    await next.stop();
    await close();
  });
});
