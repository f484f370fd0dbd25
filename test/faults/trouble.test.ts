import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { operationId } from '../../workflows/operation/key.ts';
import { checkoutScope } from '../support/lane.ts';
import { moneyHeld, paidOnce, traces } from '../support/one-checkout.ts';
import { type calls, plan } from '../support/provider-faults.ts';
import { type Answered, World } from '../support/world.ts';

/** The provider swallows each request of a call for as long as the test lasts. */
const dead = { fault: 'drop_before', times: 10_000 } as const;
const atOnce = { headers: { prefer: 'wait=0' } };

describe('an operation that makes no progress', () => {
  let world: World;
  const idOf = (name: string) => operationId(checkoutScope(world, name), 1);
  const look = async (name: string): Promise<Answered['json']> =>
    (await world.ask('GET', `/v1/operations/${idOf(name)}`)).json;
  const listed = async (query: string): Promise<string[]> =>
    (await world.ask('GET', `/v1/operations?${query}`)).json.operations.map(({ id }: { id: string }) => id);
  const log = async (script: string): Promise<string[]> =>
    (await readFile(join(world.directory, `${script.replaceAll('/', '-')}.log`), 'utf8')).split('\n');
  const resolve = (name: string, body: object, token = 'operator-alpha') =>
    world.ask('POST', `/v1/operations/${idOf(name)}/resolve`, { token, body });

  async function stuck(name: string, call: keyof typeof calls, changes = {}): Promise<string> {
    await plan(world, idOf(name), call, dead);
    await world.checkout(name, changes, atOnce);
    await world.until(`${name} is in trouble`, async () => (await look(name)).trouble !== undefined);
    return idOf(name);
  }
  async function healed(name: string): Promise<void> {
    await world.sandboxControl('DELETE', 'faults');
    await world.until(`${name} settles`, async () => (await look(name)).settledAt !== undefined);
  }

  beforeAll(async () => {
    world = await World.create(inject('ground'), { env: { HAPAX_ANSWER_CACHE: '0', HAPAX_LOG_LEVEL: 'info' } });
  });
  afterAll(() => world.close());

  it('says where, since when, what the last try met and when the next one is, and ends by itself once it can', async () => {
    const id = await stuck('dead-capture', 'capture');
    const { trouble, state, steps } = await look('dead-capture');
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
    expect((await look('dead-capture')).trouble).toMatchObject({ needs: 'person' });
    const again = await world.checkout('dead-capture', {}, { headers: { prefer: 'wait=1' } });
    expect(again).toMatchObject({
      status: 409,
      json: { code: 'needs-person', action: 'contact_support', sameKeySafe: true, trouble: { needs: 'person' } },
    });
    expect(again.headers.get('retry-after')).toBe('60');

    await healed('dead-capture');
    expect(await traces(world, id)).toEqual(paidOnce);
    expect((await look('dead-capture')).trouble).toBeUndefined();
    expect(await listed('trouble=true')).not.toContain(id);
    const lines = await log('workers/operations.ts');
    expect(lines.filter((line) => line.includes('makes no progress'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('Activity failed'))).toEqual([]);
    await world.until('upkeep says that it is over', async () =>
      (await log('workers/upkeep.ts')).some((line) => line.includes(id) && line.includes('makes progress again')),
    );
  });

  it('is undone by an undo that is in trouble itself', async () => {
    const id = await stuck('dead-undo', 'undo', { paymentMethod: 'pm_card_visa_chargeDeclined' });
    expect(await look('dead-undo')).toMatchObject({
      state: 'compensating',
      trouble: { step: 'openPayment', undoing: true },
    });
    await healed('dead-undo');
    expect(await moneyHeld(world, id)).toBe(0);
    expect((await look('dead-undo')).trouble).toBeUndefined();
  });

  it('because of a rule of the database says so of the step that broke it, and of no other', async () => {
    await world.sql('alter table hapax.outbox add constraint no_receipts_today check (false) not valid');
    await world.checkout('ruled-out', {}, atOnce);
    await world.until('it is in trouble', async () => (await look('ruled-out')).trouble !== undefined);
    const { trouble, state, steps } = await look('ruled-out');
    expect(trouble).toMatchObject({ step: 'complete', says: expect.stringContaining('no_receipts_today') });
    expect(state).toBe('running');
    expect(steps.find(({ name }: { name: string }) => name === 'capture')).toMatchObject({ state: 'done' });
    await world.sql('alter table hapax.outbox drop constraint no_receipts_today');
    await healed('ruled-out');
    expect(await traces(world, idOf('ruled-out'))).toEqual(paidOnce);
  });

  describe('can be resolved by a person', () => {
    const found = { step: 'capture', evidence: 'The dashboard of the provider.', reason: 'It stays dead.' };

    it('who has seen that the step had no effect: all is given back, and the caller is told so', async () => {
      const id = await stuck('unseen', 'capture');
      const noEffect = { ...found, outcome: 'no-effect' };
      const { status, json } = await resolve('unseen', noEffect);
      expect({ status, json }).toMatchObject({ status: 200, json: { id, state: 'compensating' } });
      expect((await resolve('unseen', noEffect)).status).toBe(200);
      expect(await resolve('unseen', { ...noEffect, reason: 'Another.' })).toMatchObject({
        status: 409,
        json: { code: 'resolved-otherwise' },
      });
      await healed('unseen');
      const [{ resolution }] = (await world.sql(
        `select resolution from hapax.step where operation_id = $1 and name = 'capture'`,
        id,
      )) as [{ resolution: object }];
      expect(resolution).toMatchObject({
        evidence: found.evidence,
        reason: found.reason,
        outcome: 'no-effect',
        by: 'default',
      });
      expect(await world.checkout('unseen')).toMatchObject({
        status: 409,
        json: { code: 'stopped-by-operator', undone: ['openPayment', 'reserve'] },
      });
      expect(await moneyHeld(world, id)).toBe(0);
      expect(await traces(world, id)).toMatchObject({ orders: ['released'], receipts: 0 });
    });

    it('where the provider proves again and again that nothing happened', async () => {
      const id = idOf('unwilling');
      await plan(world, id, 'capture', { fault: '500_before', times: 10_000 });
      await world.checkout('unwilling', {}, atOnce);
      await world.until('it is in trouble', async () => (await look('unwilling')).trouble !== undefined);
      expect((await resolve('unwilling', { ...found, outcome: 'no-effect' })).status).toBe(200);
      await healed('unwilling');
      expect((await look('unwilling')).problem).toMatchObject({ code: 'stopped-by-operator' });
      expect(await moneyHeld(world, id)).toBe(0);
    });

    it('and what had been on its way is taken back under the key that was sent', async () => {
      const id = idOf('on-its-way');
      await plan(world, id, 'capture', { fault: 'drop_after', times: 1 });
      await plan(world, id, 'capture', dead);
      await world.checkout('on-its-way', {}, atOnce);
      await world.until('it is in trouble', async () => (await look('on-its-way')).trouble !== undefined);
      const [{ epoch }] = (await world.sql(
        `select epoch from hapax.step where operation_id = $1 and name = 'capture'`,
        id,
      )) as [{ epoch: number }];
      expect((await resolve('on-its-way', { ...found, outcome: 'no-effect' })).status).toBe(200);
      await healed('on-its-way');
      expect(await moneyHeld(world, id)).toBe(0);
      const after = await world.sql(`select epoch from hapax.step where operation_id = $1 and name = 'capture'`, id);
      expect(after).toEqual([{ epoch }]);
    });

    it('never where nothing could take back what may still happen', async () => {
      const id = await stuck('for-good', 'capture');
      await world.sql(`update hapax.step set irreversible = true where operation_id = $1 and name = 'capture'`, id);
      expect(await resolve('for-good', { ...found, outcome: 'no-effect' })).toMatchObject({
        status: 409,
        json: { code: 'past-no-return' },
      });
      await healed('for-good');
      expect(await traces(world, id)).toEqual(paidOnce);
    });

    it('only where the ledger does not know better', async () => {
      const id = await stuck('known', 'capture');
      const noEffect = { ...found, outcome: 'no-effect' };
      for (const wrong of [
        { ...noEffect, evidence: undefined },
        { ...noEffect, evidence: ' ' },
        { ...noEffect, reason: undefined },
        { ...noEffect, outcome: 'done' },
        { ...noEffect, result: {} },
        { ...noEffect, tenant: 'beta' },
        { ...noEffect, step: 'captur' },
      ])
        expect(await resolve('known', wrong)).toMatchObject({ status: 400, json: { code: 'request-invalid' } });
      expect((await resolve('known', noEffect, 'operator-beta')).status).toBe(404);
      expect(await resolve('known', noEffect, 'local-alpha')).toMatchObject({
        status: 403,
        json: { code: 'forbidden', needs: 'operator' },
      });
      for (const step of ['reserve', 'authorise', 'complete'])
        expect(await resolve('known', { ...noEffect, step })).toMatchObject({
          status: 409,
          json: { code: 'not-in-doubt' },
        });
      await healed('known');
      expect(await traces(world, id)).toEqual(paidOnce);
      expect(await resolve('known', noEffect)).toMatchObject({ status: 409, json: { code: 'already-settled' } });
    });
  });
});
