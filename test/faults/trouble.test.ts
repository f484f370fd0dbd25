import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { workflowId } from '../../workflows/operation/key.ts';
import { checkoutScope } from '../support/lane.ts';
import { moneyHeld, paidOnce, traces } from '../support/one-checkout.ts';
import { StuckCheckouts } from '../support/stuck-checkouts.ts';
import { World } from '../support/world.ts';

describe('an operation that makes no progress', () => {
  let world: World;
  let checkouts: StuckCheckouts;
  const listed = async (query: string): Promise<string[]> =>
    (await world.ask('GET', `/v1/operations?${query}`)).json.operations.map(({ id }: { id: string }) => id);
  const log = async (script: string): Promise<string[]> =>
    (await readFile(join(world.directory, `${script.replaceAll('/', '-')}.log`), 'utf8')).split('\n');

  /** What Temporal's UI shows of a running workflow. */
  async function currentDetails(name: string): Promise<string> {
    const temporal = await Connection.connect({ address: world.env.TEMPORAL_ADDRESS as string });
    try {
      const handle = new Client({ connection: temporal }).workflow.getHandle(workflowId(checkoutScope(world, name), 1));
      return (await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata')).currentDetails;
    } finally {
      await temporal.close();
    }
  }

  beforeAll(async () => {
    world = await World.create(inject('ground'), { env: { HAPAX_ANSWER_CACHE: '0', HAPAX_LOG_LEVEL: 'info' } });
    checkouts = new StuckCheckouts(world);
  });
  afterAll(() => world.close());

  it('says where, since when, what the last try met and when the next one is, and ends by itself once it can', async () => {
    const id = await checkouts.stuck('dead-capture', 'capture');
    const { trouble, state, steps } = await checkouts.look('dead-capture');
    expect(trouble).toEqual({
      step: 'capture',
      says: expect.stringMatching(/^The payment provider gave no clear answer/),
      since: expect.any(String),
      tries: expect.any(Number),
      nextTryAt: expect.any(String),
    });
    expect(trouble.tries).toBeGreaterThan(1);
    expect(Date.parse(trouble.nextTryAt)).toBeGreaterThan(Date.parse(trouble.since));
    expect(state).toBe('indeterminate');
    expect(steps.find(({ name }: { name: string }) => name === 'capture')).toMatchObject({ state: 'unknown' });
    expect(await listed('trouble=true')).toContain(id);
    expect(await listed('trouble=false')).not.toContain(id);
    expect(await listed('state=open')).toContain(id);
    expect(await listed('state=settled')).not.toContain(id);

    const shown = await world.until('Temporal shows it', async () => {
      const details = await currentDetails('dead-capture');
      return details.includes('The payment provider gave no clear answer') && details;
    });
    expect(shown).toContain('Pending activities');

    const cancel = await world.ask('POST', `/v1/operations/${id}/cancel`);
    expect(cancel).toMatchObject({
      status: 409,
      json: { code: 'past-no-return', retryable: false, sameKeySafe: true },
    });
    const [upkeep] = world.running('workers/upkeep.ts');
    await world.until('upkeep has counted it', async () =>
      (await (await fetch(`${upkeep?.address}/metrics`)).text()).includes(
        'hapax_troubled_operations{flow="checkout",step="capture",needs_person="false"} 1',
      ),
    );

    await world.sql(`update hapax.trouble set needs_person_at = now() where operation_id = $1`, id);
    expect((await checkouts.look('dead-capture')).trouble).toMatchObject({ needs: 'person' });
    const again = await world.checkout('dead-capture', {}, { headers: { prefer: 'wait=1' } });
    expect(again).toMatchObject({
      status: 409,
      json: { code: 'needs-person', action: 'contact_support', sameKeySafe: true, trouble: { needs: 'person' } },
    });
    expect(again.headers.get('retry-after')).toBe('60');

    await checkouts.healed('dead-capture');
    expect(await traces(world, id)).toEqual(paidOnce);
    expect((await checkouts.look('dead-capture')).trouble).toBeUndefined();
    expect(await listed('trouble=true')).not.toContain(id);
    const lines = await log('workers/operations.ts');
    expect(lines.filter((line) => line.includes('makes no progress'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('Activity failed'))).toEqual([]);
    await world.until('upkeep says that it is over', async () =>
      (await log('workers/upkeep.ts')).some((line) => line.includes(id) && line.includes('makes progress again')),
    );
  });

  it('is undone by an undo that is in trouble itself', async () => {
    const id = await checkouts.stuck('dead-undo', 'undo', { paymentMethod: 'pm_card_visa_chargeDeclined' });
    expect(await checkouts.look('dead-undo')).toMatchObject({
      state: 'compensating',
      trouble: { step: 'openPayment', undoing: true },
    });
    await checkouts.healed('dead-undo');
    expect(await moneyHeld(world, id)).toBe(0);
    expect((await checkouts.look('dead-undo')).trouble).toBeUndefined();
  });

  it('in its very first step, which also opens it, says so', async () => {
    await world.sql('alter table hapax.customer_order add constraint no_orders_today check (false) not valid');
    await checkouts.begun('unopened');
    const { trouble, state } = await checkouts.look('unopened');
    expect(trouble).toMatchObject({ step: 'reserve', says: expect.stringContaining('no_orders_today') });
    expect(state).toBe('running');
    await world.sql('alter table hapax.customer_order drop constraint no_orders_today');
    await checkouts.healed('unopened');
    expect(await traces(world, checkouts.idOf('unopened'))).toEqual(paidOnce);
  });

  it('because of a rule of the database says so of the step that broke it, and of no other', async () => {
    await world.sql('alter table hapax.outbox add constraint no_receipts_today check (false) not valid');
    await checkouts.begun('ruled-out');
    const { trouble, state, steps } = await checkouts.look('ruled-out');
    expect(trouble).toMatchObject({ step: 'complete', says: expect.stringContaining('no_receipts_today') });
    expect(state).toBe('running');
    expect(steps.find(({ name }: { name: string }) => name === 'capture')).toMatchObject({ state: 'done' });
    await world.sql('alter table hapax.outbox drop constraint no_receipts_today');
    await checkouts.healed('ruled-out');
    expect(await traces(world, checkouts.idOf('ruled-out'))).toEqual(paidOnce);
  });
});
