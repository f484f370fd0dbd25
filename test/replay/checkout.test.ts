import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { operationId, workflowId } from '../../workflows/operation/key.ts';
import { checkoutScope } from '../support/lane.ts';
import { heldRequest, plan } from '../support/provider-faults.ts';
import { World } from '../support/world.ts';
import { readHistory, writeHistory } from './recorded-history.ts';

/**
 * Checkouts as they once ran. A change of a story must still replay them, or operations in flight would be stuck after
 * its deploy. `RECORD=1` records them anew: only where no such operation can be in flight any more.
 */
const stories: Readonly<Record<string, (world: World, key: string) => Promise<unknown>>> = {
  succeeded: (world, key) => world.checkout(key),
  declined: (world, key) => world.checkout(key, { paymentMethod: 'pm_card_visa_chargeDeclined' }),
  async cancelled(world, key) {
    const id = operationId(checkoutScope(world, key), 1);
    await plan(world, id, 'authorise', { fault: 'hold_before', outlivesClient: true });
    const asked = world.checkout(key);
    const release = await heldRequest(world, id);
    await world.ask('POST', `/v1/operations/${id}/cancel`);
    await asked;
    await release();
  },
  async retried(world, key) {
    const id = operationId(checkoutScope(world, key), 1);
    for (const call of ['openPayment', 'authorise', 'capture'] as const)
      await plan(world, id, call, { fault: '500_before' });
    await world.checkout(key);
  },
};

const fileOf = (name: string) => new URL(`histories/checkout-${name}.json`, import.meta.url);

describe('a checkout that was recorded', () => {
  beforeAll(async () => {
    Runtime.install({ logger: new DefaultLogger('ERROR') });
    if (process.env.RECORD !== '1') return;
    const world = await World.create(inject('ground'));
    const connection = await Connection.connect({ address: world.env.TEMPORAL_ADDRESS as string });
    const { workflow } = new Client({ connection });
    for (const [name, tell] of Object.entries(stories)) {
      await tell(world, name);
      const handle = workflow.getHandle(workflowId(checkoutScope(world, name), 1));
      await handle.result();
      await writeHistory(fileOf(name), await handle.fetchHistory());
    }
    await connection.close();
    await world.close();
  });

  it.each(Object.keys(stories))('as %s is replayed by the stories of today', async (name) => {
    const history = await readHistory(fileOf(name));
    const replayed = Worker.runReplayHistory({ workflowBundle: { codePath: inject('ground').bundle } }, history);
    await expect(replayed).resolves.toBeUndefined();
  });
});
