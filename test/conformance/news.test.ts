import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { operationId } from '../../workflows/operation/key.ts';
import { checkoutScope } from '../support/lane.ts';
import { paidOnce, traces } from '../support/one-checkout.ts';
import { heldRequest, plan } from '../support/provider-faults.ts';
import { World } from '../support/world.ts';

describe('the news that an operation has settled', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { env: { HAPAX_ANSWER_CACHE: '0' } });
  });
  afterAll(() => world.close());

  const notify = (channel: string, news: unknown) =>
    world.sql('select pg_notify($1, $2)', channel, typeof news === 'string' ? news : JSON.stringify(news));

  it('that is forged or garbled settles nothing, and no door dies of it', async () => {
    const id = operationId(checkoutScope(world, 'held'), 1);
    await plan(world, id, 'openPayment', { fault: 'hold_before', outlivesClient: true });
    const asked = world.checkout('held', {}, { headers: { prefer: 'wait=30' } });
    const release = await heldRequest(world, id);
    const [{ name } = { name: '' }] = await world.sql<{ name: string }>('select name from hapax.news_channel');
    const forged = {
      ...{ id, tenant: world.tenants.alpha, state: 'succeeded', renewable: false, status: 201, flowVersion: 1 },
      ...{ headers: {}, body: Buffer.from('{"forged":true}').toString('base64'), expiresAt: '2099-01-01T00:00:00Z' },
    };
    for (const garbled of ['x', '', 'null', '[]', { id }, { ...forged, body: 7 }, { ...forged, tenant: 'another' }])
      await notify(name, garbled);
    // Whoever may not read the ledger can only guess at the channel.
    for (const guessed of ['hapax_settled', 'settled']) await notify(guessed, forged);
    await release();
    const answer = await asked;
    expect([answer.status, answer.json.id]).toEqual([201, id]);
    expect(await traces(world, id)).toEqual(paidOnce);
    expect((await world.ask('GET', '/healthz')).status).toBe(200);
  });

  it('goes by a channel whose name is known to those alone who may read the ledger', async () => {
    const stranger = `stranger_${world.name}`;
    await world.sql(`create role ${stranger} nologin`);
    try {
      await world.sql(`grant usage on schema hapax to ${stranger}`);
      const read = world.sql(`set role ${stranger}; select name from hapax.news_channel`);
      await expect(read).rejects.toThrow('permission denied for table news_channel');
      await world.sql('reset role');
    } finally {
      await world.sql(`reset role; drop owned by ${stranger}; drop role ${stranger}`);
    }
  });
});
