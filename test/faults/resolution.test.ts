import Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { paymentSteps } from '../../activities/payments.ts';
import { stripeProvider } from '../../activities/stores/payments/stripe/stripe-provider.ts';
import { moneyHeld, paidOnce, stockOf, traces } from '../support/one-checkout.ts';
import { plan } from '../support/provider-faults.ts';
import { StuckCheckouts } from '../support/stuck-checkouts.ts';
import { World } from '../support/world.ts';

const dead = { fault: 'drop_before', times: 10_000 } as const;
const found = { step: 'capture', evidence: 'The dashboard of the provider.', reason: 'It stays dead.' };
const noEffect = { ...found, outcome: 'no-effect' };

describe('a step in trouble', { timeout: 150_000 }, () => {
  let world: World;
  let checkouts: StuckCheckouts;

  /** The id of an operation's payment at the provider. */
  async function paymentOf(id: string): Promise<string> {
    const [created] = await world.audit({ operation: id });
    return created?.paymentIntent ?? expect.unreachable();
  }

  function provider(): Stripe {
    const { hostname: host, port } = new URL(world.sandbox.address);
    return new Stripe('sk_test_staff', { protocol: 'http', host, port: Number(port) });
  }

  /** What the provider has done, and nobody has heard. */
  async function unheard(name: string, call: 'openPayment' | 'authorise' | 'capture'): Promise<string> {
    const id = checkouts.idOf(name);
    await plan(world, id, call, { fault: 'drop_after', times: 1 });
    await plan(world, id, call, dead);
    return await checkouts.begun(name);
  }

  beforeAll(async () => {
    world = await World.create(inject('ground'), { env: { HAPAX_ANSWER_CACHE: '0' } });
    checkouts = new StuckCheckouts(world);
  });
  afterAll(() => world.close());

  describe('that a person says had no effect', () => {
    it('is given up: all is given back, the caller is told so, and who said it stays', async () => {
      const id = await checkouts.stuck('unseen', 'capture');
      const { status, json } = await checkouts.resolve('unseen', noEffect);
      expect({ status, json }).toMatchObject({ status: 200, json: { id, resolutions: [{ outcome: 'no-effect' }] } });
      expect((await checkouts.resolve('unseen', noEffect)).status).toBe(200);
      expect(await checkouts.resolve('unseen', { ...noEffect, reason: 'Another.' })).toMatchObject({
        status: 409,
        json: { code: 'resolved-otherwise' },
      });
      await checkouts.settled('unseen');
      expect((await checkouts.resolve('unseen', noEffect)).status).toBe(200);
      expect((await checkouts.look('unseen')).resolutions).toEqual([
        { ...noEffect, by: 'default', at: expect.any(String), standing: 'held' },
      ]);
      expect((await world.ask('GET', `/v1/operations/${id}`)).json.resolutions).toBeUndefined();
      expect(await world.checkout('unseen')).toMatchObject({
        status: 409,
        json: { code: 'stopped-by-operator', undone: ['openPayment', 'reserve'] },
      });
      expect(await moneyHeld(world, id)).toBe(0);
      expect(await traces(world, id)).toMatchObject({ orders: ['released'], receipts: 0 });
    });

    it('is given up where the provider proves again and again that nothing happened', async () => {
      const id = checkouts.idOf('unwilling');
      await plan(world, id, 'capture', { fault: '500_before', times: 10_000 });
      await checkouts.begun('unwilling');
      expect((await checkouts.resolve('unwilling', noEffect)).status).toBe(200);
      await checkouts.settled('unwilling');
      expect((await checkouts.look('unwilling')).problem).toMatchObject({ code: 'stopped-by-operator' });
      expect(await moneyHeld(world, id)).toBe(0);
    });

    it('is taken back under the key that was sent, where it had been on its way', async () => {
      const id = await unheard('on-its-way', 'capture');
      const epoch = () => world.sql(`select epoch from hapax.step where operation_id = $1 and name = 'capture'`, id);
      const before = await epoch();
      expect((await checkouts.resolve('on-its-way', noEffect)).status).toBe(200);
      await checkouts.settled('on-its-way');
      expect(await moneyHeld(world, id)).toBe(0);
      expect(await epoch()).toEqual(before);
    });

    it('is given up where it is a row step that a rule of the database refuses', async () => {
      const stock = await stockOf(world);
      await world.sql('alter table hapax.outbox add constraint no_receipts_today check (false) not valid');
      const id = await checkouts.begun('ruled-out');
      expect((await checkouts.resolve('ruled-out', { ...noEffect, step: 'complete' })).status).toBe(200);
      await checkouts.settled('ruled-out');
      await world.sql('alter table hapax.outbox drop constraint no_receipts_today');
      expect(await moneyHeld(world, id)).toBe(0);
      expect(await stockOf(world)).toBe(stock);
      expect(await traces(world, id)).toMatchObject({ orders: ['released'], receipts: 0 });
    });

    it('is given up by another worker, where the one that tried it is gone', async () => {
      const id = await checkouts.stuck('abandoned', 'capture');
      const [worker] = world.running('workers/operations.ts');
      await worker?.kill();
      expect((await checkouts.resolve('abandoned', noEffect)).status).toBe(200);
      await world.start('workers/operations.ts');
      await checkouts.settled('abandoned');
      expect(await moneyHeld(world, id)).toBe(0);
    });
  });

  describe('that a person says is done', () => {
    const done = (paymentIntent: string, step = 'capture') => ({
      ...found,
      step,
      outcome: 'done',
      result: { paymentIntent },
    });

    it.each(['openPayment', 'authorise', 'capture'] as const)(
      'is looked for by its own code, and the story goes on where %s has happened',
      async (step) => {
        const name = `unheard-${step}`;
        const id = await unheard(name, step);
        expect((await checkouts.resolve(name, done(await paymentOf(id), step))).status).toBe(200);
        await checkouts.settled(name);
        expect(await traces(world, id)).toEqual(paidOnce);
        expect((await checkouts.look(name)).resolutions).toMatchObject([{ step, outcome: 'done', standing: 'held' }]);
        const results = (steps: { result?: unknown }[]) =>
          steps.map(({ result }) => result).filter((one) => one !== undefined);
        expect(results((await checkouts.look(name)).steps)).toContainEqual({ paymentIntent: await paymentOf(id) });
        expect(results((await world.ask('GET', `/v1/operations/${id}`)).json.steps)).toEqual([]);
      },
    );

    it('is tried like before where it has not happened, and can be resolved again', async () => {
      const id = await checkouts.stuck('hopeful', 'capture');
      const payment = await paymentOf(id);
      expect((await checkouts.resolve('hopeful', done(payment))).status).toBe(200);
      expect(await checkouts.decided('hopeful')).toMatchObject({
        standing: 'lapsed',
        says: expect.stringMatching(/requires_capture, with 0 of \d+ \w+ captured/),
      });
      expect((await checkouts.look('hopeful')).state).toBe('indeterminate');
      expect((await checkouts.resolve('hopeful', noEffect)).status).toBe(200);
      await checkouts.settled('hopeful');
      expect((await checkouts.look('hopeful')).problem).toMatchObject({ code: 'stopped-by-operator' });
      expect(await moneyHeld(world, id)).toBe(0);
    });

    it('does not hold for a capture that was given back, at the provider, by whomever', async () => {
      const id = await unheard('given-back', 'capture');
      const payment = await paymentOf(id);
      await provider().refunds.create({ payment_intent: payment, amount: 100 }, { idempotencyKey: 'by hand' });
      expect((await checkouts.resolve('given-back', done(payment))).status).toBe(200);
      expect(await checkouts.decided('given-back')).toMatchObject({
        standing: 'lapsed',
        says: expect.stringContaining('money of it was given back'),
      });
    });

    it('does not hold for a payment of the other environment: test money pays no live order', async () => {
      await world.checkout('of-a-test');
      const id = checkouts.idOf('of-a-test');
      const payment = await paymentOf(id);
      // Stripe itself, as far as the step knows: a sandbox serves both environments.
      const { openPayment } = paymentSteps({ provider: stripeProvider(provider()), sandboxed: false, returnUrl: '' });
      const look = async (environment: 'live' | 'test') =>
        await openPayment.check?.(
          { paymentIntent: payment },
          { amount: 1250, currency: 'eur', metadata: { operation: id, tenant: world.tenants.alpha, order: 'ord_1' } },
          {
            ...{ operation: id, tenant: world.tenants.alpha, environment },
            key: id,
            age: 0,
            timeout: 5_000,
          } as never,
        );
      await expect(look('live')).rejects.toThrow(/live environment/);
      expect(await look('test')).toMatchObject({ paymentIntent: payment });
    });

    it("never takes another order's payment for its own", async () => {
      await world.checkout('paid-already');
      const strange = await paymentOf(checkouts.idOf('paid-already'));
      for (const step of ['openPayment', 'authorise', 'capture'] as const) {
        const name = `strange-${step}`;
        await checkouts.stuck(name, step);
        expect((await checkouts.resolve(name, done(strange, step))).status).toBe(200);
        expect(await checkouts.decided(name)).toMatchObject({
          standing: 'lapsed',
          says: expect.stringMatching(/not a payment of this operation|was sent for/),
        });
      }
      await checkouts.healed('strange-capture');
      for (const step of ['openPayment', 'authorise', 'capture']) {
        await checkouts.settled(`strange-${step}`);
        expect(await traces(world, checkouts.idOf(`strange-${step}`))).toEqual(paidOnce);
      }
      expect(await moneyHeld(world, checkouts.idOf('paid-already'))).toBeGreaterThan(0);
    });

    it('is tried like before where nothing could look whether it is so', async () => {
      const id = await unheard('blind', 'capture');
      await world.faults([{ match: { operation: id, path: '/v1/payment_intents/[^/]+$' }, ...dead }]);
      expect((await checkouts.resolve('blind', done(await paymentOf(id)))).status).toBe(200);
      expect(await checkouts.decided('blind')).toMatchObject({
        standing: 'lapsed',
        says: expect.stringContaining('could not be checked'),
      });
      await checkouts.healed('blind');
      expect(await traces(world, id)).toEqual(paidOnce);
    });
  });

  it('is resolved only where the ledger does not know better, and by whom it may be', async () => {
    const id = await checkouts.stuck('known', 'capture');
    for (const wrong of [
      { ...noEffect, evidence: undefined },
      { ...noEffect, evidence: ' ' },
      { ...noEffect, reason: undefined },
      { ...noEffect, outcome: 'perhaps' },
      { ...noEffect, result: {} },
      { ...noEffect, tenant: 'beta' },
      { ...noEffect, step: 'captur' },
      { ...noEffect, step: 'toString' },
      { ...found, outcome: 'done' },
      { ...found, outcome: 'done', result: null },
      { ...found, outcome: 'done', result: { paymentIntent: 'my payment' } },
      { ...found, outcome: 'done', result: { paymentIntent: 'pi_1', amount: 1 } },
      { ...found, outcome: 'done', result: {}, step: 'reserve' },
    ])
      expect(await checkouts.resolve('known', wrong)).toMatchObject({ status: 400, json: { code: 'request-invalid' } });
    expect((await checkouts.resolve('known', noEffect, 'operator-beta')).status).toBe(404);
    expect(await checkouts.resolve('known', noEffect, 'local-alpha')).toMatchObject({
      status: 403,
      json: { code: 'forbidden', needs: 'operator' },
    });
    for (const step of ['reserve', 'authorise', 'complete'])
      expect(await checkouts.resolve('known', { ...noEffect, step })).toMatchObject({
        status: 409,
        json: { code: 'not-in-doubt' },
      });
    await checkouts.healed('known');
    expect(await traces(world, id)).toEqual(paidOnce);
    expect(await checkouts.resolve('known', noEffect)).toMatchObject({
      status: 409,
      json: { code: 'already-settled' },
    });
  });
});
