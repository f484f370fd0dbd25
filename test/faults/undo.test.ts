import type Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { operationId } from '../../workflows/operation/key.ts';
import { Refused } from '../../activities/stores/outcomes/refused.ts';
import type { Payment } from '../../activities/stores/payments/payment.ts';
import { checkoutScope, Lane } from '../support/lane.ts';
import { expectEqualAnswers, moneyHeld, stockOf, traces } from '../support/one-checkout.ts';
import { paymentClient } from '../support/payment-client.ts';
import { heldRequest, plan } from '../support/provider-faults.ts';
import { withProvider } from '../support/with-provider.ts';
import { type Answered, World } from '../support/world.ts';

const patient = { headers: { prefer: 'wait=30' } };

describe.concurrent('a checkout that cannot go on', { timeout: 150_000 }, () => {
  let world: World;
  let elsewhere: Stripe;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { env: { HAPAX_ANSWER_CACHE: '0' } });
    elsewhere = paymentClient(world);
  });
  afterAll(async () => {
    const stock = await stockOf(world);
    await world.close();
    // Nothing was sold here.
    expect(stock).toBe(1_000_000);
  });

  const idOf = (key: string) => operationId(checkoutScope(world, key), 1);

  /** Who has waited for half a minute in vain asks again, with the same key. */
  const outcomeOf = (key: string, changes = {}): Promise<Answered> =>
    world.until(
      `${key} has an outcome`,
      async () => {
        const told = await world.checkout(key, changes, patient);
        return told.json.action !== 'wait' && told;
      },
      90_000,
    );

  it.each([
    { because: 'an item is out of stock', sku: 'poster', quantity: 1, status: 409, code: 'out-of-stock' },
    { because: 'fewer are left than asked for', sku: 'book-small', quantity: 4, status: 409, code: 'out-of-stock' },
    { because: 'an item is unknown', sku: 'cup-green', quantity: 1, status: 422, code: 'sku-unknown' },
  ])('because $because touches nothing', async ({ sku, quantity, status, code }) => {
    const key = `refused-${sku}`;
    const answer = await outcomeOf(key, { items: [{ sku, quantity }] });
    expect(answer).toMatchObject({ status, json: { code } });
    expect(await traces(world, idOf(key))).toMatchObject({ effects: [], state: 'refused', orders: [] });
    // Its first step has opened it, and nothing was told twice.
    expect(await world.sql('select fence from hapax.operation where id = $1', idOf(key))).toEqual([{ fence: '1' }]);
    expect((await world.checkout(key, { items: [{ sku, quantity }] })).text).toBe(answer.text);
  });

  it.each([
    { because: 'the bank declines', method: 'pm_card_visa_chargeDeclined', status: 402, code: 'card-declined' },
    { because: 'the provider knows no such card', method: 'pm_nobody', status: 422, code: 'payment-refused' },
  ])('because $because gives all back', async ({ method, status, code }) => {
    const key = `refused-${method}`;
    const answer = await outcomeOf(key, { paymentMethod: method });
    expect(answer).toMatchObject({ status, json: { code, undone: ['openPayment', 'reserve'] } });
    expect(await traces(world, idOf(key))).toMatchObject({ state: 'refused', orders: ['released'], receipts: 0 });
    expect(await moneyHeld(world, idOf(key))).toBe(0);
    const [cancelled] = await world.audit({ operation: idOf(key), type: 'payment_intent.canceled' });
    expect(cancelled).toBeDefined();
  });

  it('because its authorisation was cancelled at the provider gives all back', async () => {
    const key = 'cancelled-elsewhere';
    await plan(world, idOf(key), 'capture', { fault: 'hold_before', outlivesClient: true });
    const asked = outcomeOf(key);
    const release = await heldRequest(world, idOf(key));
    await elsewhere.paymentIntents.cancel(await intentOf(key), {}, { idempotencyKey: `elsewhere ${key}` });
    await release();
    expect(await asked).toMatchObject({
      status: 409,
      json: { code: 'payment-cancelled', action: 'contact_support' },
    });
    expect(await traces(world, idOf(key))).toMatchObject({ state: 'refused', orders: ['released'] });
    expect(await moneyHeld(world, idOf(key))).toBe(0);
  });

  it.each([
    { says: 'fails with 500 three times', rule: { fault: '500_before', times: 3 } },
    { says: 'is cut four times', rule: { fault: 'drop_before', times: 4 } },
    { says: 'is cut after its effect', rule: { fault: 'drop_after', times: 2 } },
  ])('is undone though the cancel $says', async ({ rule }) => {
    const key = `stubborn-${rule.fault}`;
    await plan(world, idOf(key), 'undo', rule);
    const answer = await outcomeOf(key, { paymentMethod: 'pm_card_visa_chargeDeclined' });
    expect(answer).toMatchObject({ status: 402, json: { undone: ['openPayment', 'reserve'] } });
    const { effects } = await traces(world, idOf(key));
    expect(effects).toEqual(['canceled', 'created', 'declined']);
  });

  /** The buyer's money was taken behind our back, while our own confirm was on its way; then the checkout is cancelled. */
  async function takenElsewhere(key: string) {
    const id = idOf(key);
    await plan(world, id, 'authorise', { fault: 'hold_before', outlivesClient: true });
    const asked = outcomeOf(key);
    const release = await heldRequest(world, id);
    const intent = await intentOf(key);
    const method = { payment_method: 'pm_card_visa' };
    await elsewhere.paymentIntents.confirm(intent, method, { idempotencyKey: `confirm ${key}` });
    await elsewhere.paymentIntents.capture(intent, {}, { idempotencyKey: `capture ${key}` });
    await world.ask('POST', `/v1/operations/${id}/cancel`);
    const answer = await asked;
    await release();
    return { id, answer };
  }

  it('is refunded where the money had been taken meanwhile', async () => {
    const { id, answer } = await takenElsewhere('late-success');
    expect(answer.json).toMatchObject({ code: 'cancelled', undone: ['openPayment', 'reserve'] });
    expect((await world.audit({ operation: id, type: 'refund.created' })).map(({ amount }) => amount)).toEqual([1250]);
    expect(await moneyHeld(world, id)).toBe(0);
  });

  it.each(['500_before', '500_after', 'drop_after'])('is refunded once though the refund meets %s', async (fault) => {
    const key = `late-success-${fault}`;
    await world.faults([{ match: { operation: idOf(key), path: '/v1/refunds$' }, fault, times: 2 }]);
    const { id } = await takenElsewhere(key);
    expect((await world.audit({ operation: id, type: 'refund.created' })).map(({ amount }) => amount)).toEqual([1250]);
    expect(await moneyHeld(world, id)).toBe(0);
    expect(await world.state(id)).toBe('cancelled');
  });

  it('and whose payment cannot be cancelled is shown as incomplete, and never as a success', async (context) => {
    const one = await Lane.open(world, 'incomplete', {
      paymentMethod: 'pm_card_visa_chargeDeclined',
      items: [{ sku: 'book-small', quantity: 1 }],
    });
    context.onTestFinished(() => one.close());
    const gone = new Refused({ code: 'payment-not-possible', detail: 'No such payment' });
    await one.healthy(
      undefined,
      answering('cancel', () => Promise.reject(gone)),
    );
    await one.start();
    await one.settled();
    const { first } = await one.answers();
    expect(first).toMatchObject({
      status: 500,
      json: {
        code: 'compensation-incomplete',
        action: 'contact_support',
        notUndone: ['openPayment', 'reserve'],
        undone: [],
      },
    });
    await expectEqualAnswers(one, 500);
    const { json } = await world.ask('GET', `/v1/operations/${one.id}`);
    expect(json.state).toBe('compensation_incomplete');
    expect(json.steps).toContainEqual(expect.objectContaining({ name: 'openPayment', state: 'undo_failed' }));
    // Nobody knows what became of the money: stock and cart wait for whoever finds out.
    expect(await traces(world, one.id)).toMatchObject({ orders: ['pending'] });
    const again = await world.checkout('incomplete-again', { ...one.changes, cartId: `cart-${one.key}` });
    expect(again.json).toMatchObject({ status: 409, code: 'cart-in-progress' });
  });

  it('because the provider opened a payment of another amount never confirms it', async (context) => {
    const one = await Lane.open(world, 'other-amount');
    context.onTestFinished(() => one.close());
    await one.healthy(
      undefined,
      answering('open', async (real) => ({ ...(await real()), amount: 125_000 })),
    );
    await one.start();
    await one.settled();
    await expectEqualAnswers(one, 500);
    const { effects, orders } = await traces(world, one.id);
    expect(effects).not.toContain('confirmed');
    expect(orders).toEqual(['released']);
  });

  it('because the provider captured another amount stays open, and visible, until that is understood', async (context) => {
    const one = await Lane.open(world, 'other-capture', { items: [{ sku: 'book-small', quantity: 1 }] });
    context.onTestFinished(() => one.close());
    let wrong = true;
    await one.healthy(
      undefined,
      answering('capture', async (real) => {
        const payment = await real();
        return wrong ? { ...payment, state: { kind: 'captured', captured: 1 } } : payment;
      }),
    );
    await one.start();
    await world.until('the operation is indeterminate', async () => (await world.state(one.id)) === 'indeterminate');
    expect(await traces(world, one.id)).toMatchObject({ orders: ['pending'], receipts: 0 });
    wrong = false;
    await one.settled();
    expect(await traces(world, one.id)).toMatchObject({ state: 'succeeded', orders: ['paid'] });
  });

  async function intentOf(key: string): Promise<string> {
    const [row] = await world.sql<{ id: string }>(
      `select result->>'paymentIntent' as id from hapax.step where operation_id = $1 and name = 'openPayment'`,
      idOf(key),
    );
    return row?.id as string;
  }
});

type Method = 'open' | 'cancel' | 'capture';

/** Activities whose provider answers one method otherwise. */
function answering(method: Method, answer: (real: () => Promise<Payment>) => Promise<Payment>) {
  return withProvider((own) => ({
    ...own,
    [method]: (...given: unknown[]) =>
      answer(() => (own[method] as (...given: unknown[]) => Promise<Payment>)(...given)),
  }));
}
