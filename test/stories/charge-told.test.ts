import { isDeepStrictEqual } from 'node:util';
import type Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { chargeEvent, deliver } from '../support/event-sender.ts';
import { secrets } from '../support/event-sources.ts';
import { moneyOf } from '../support/money.ts';
import { paymentClient } from '../support/payment-client.ts';
import { World } from '../support/world.ts';

let world: World;
let provider: Stripe;
beforeAll(async () => {
  world = await World.create(inject('ground'));
  provider = paymentClient(world);
});
afterAll(() => world.close());

type Paid = { readonly id: string; readonly orderId: string; readonly paymentIntent: string };

/** 1.5 % and 25, of 2500. */
const fee = 63;
/** What tells of the fee, and nothing else does. */
const others = ['payment_intent.', 'refund.'].map((type) => ({ type, do: 'lose' }));

const tellTheDoor = (...plan: readonly object[]) =>
  world.sandboxControl('POST', 'webhooks', {
    url: `${world.doors[0]?.address}/v1/webhooks/stripe`,
    secret: secrets.stripe,
    plan,
  });
async function paid(key: string): Promise<Paid> {
  const { status, json } = await world.checkout(key, { items: [{ sku: 'mug-blue', quantity: 2 }] });
  expect(status).toBe(201);
  return json as Paid;
}
const handlings = (event: { readonly id: string }) =>
  world.sql<{ handler: string; state: string; operation_id: string | null }>(
    `select h.handler, h.state, h.operation_id from hapax.inbox_handling h
     join hapax.inbox_event e on e.id = h.event_id where e.event = $1`,
    event.id,
  );
const handled = (event: { readonly id: string }) =>
  world.until(`${event.id} is handled`, async () => {
    const [only, ...more] = await handlings(event);
    return only?.state === 'done' && more.length === 0 && only;
  });
const toldOf = ({ paymentIntent }: Pick<Paid, 'paymentIntent'>) =>
  world.until(`the charge of ${paymentIntent} was told`, async () => {
    const { data } = await provider.events.list({ type: 'charge.updated' });
    return data.find(({ data: { object } }) => (object as Stripe.Charge).payment_intent === paymentIntent) ?? false;
  });
const booked = (order: Paid, wanted: Record<string, number>) =>
  world.until(`the books of ${order.orderId} are ${JSON.stringify(wanted)}`, async () => {
    const open = await world.sql(
      `select 1 from hapax.operation where settled_at is null
       union all select 1 from hapax.inbox_handling where state <> 'done'`,
    );
    const facts = await moneyOf(world, order).catch(() => undefined);
    return open.length === 0 && isDeepStrictEqual({ ...facts }, wanted);
  });

describe('an event of a charge', () => {
  it('has the fee booked, which nothing else tells of', async () => {
    await tellTheDoor({ type: '', do: 'lose' });
    const order = await paid('fee');
    await booked(order, { captured: 2500 });
    const { id } = await toldOf(order);
    await world.sandboxControl('POST', `webhooks/${id}/resend`);
    await booked(order, { captured: 2500, fee });
    expect(await handlings({ id })).toMatchObject([{ handler: 'books', state: 'done' }]);
  });

  it.each([
    ['before the capture is answered', { do: 'early' }],
    ['four times', { do: 'duplicate', copies: 3 }],
    ['late and after a refund', { do: 'delay', delayMs: 1_500 }],
    ['out of turn', { do: 'reorder' }],
  ])('%s ends alike', async (name, rule) => {
    await tellTheDoor({ type: 'charge.updated', ...rule }, ...(rule.do === 'reorder' ? [] : others));
    const order = await paid(name);
    const refund = await world.ask('POST', '/v1/refunds', {
      key: `refund ${name}`,
      body: { checkout: order.id, amount: { minor: 700, currency: 'eur' } },
    });
    expect(refund.status).toBe(201);
    await booked(order, { captured: 2500, fee, refunded: 700 });
    await handled(await toldOf(order));
  });

  it('says so as well where it is called captured', async () => {
    await tellTheDoor({ type: '', do: 'lose' });
    const order = await paid('captured');
    const event = chargeEvent(order, world.tenants.alpha, { type: 'charge.captured' });
    await deliver(world, event);
    await booked(order, { captured: 2500, fee });
  });

  it('of another tenant of the account begins nothing, and is booked by nobody', async () => {
    await tellTheDoor();
    const { id } = await provider.paymentIntents.create(
      {
        ...{ amount: 900, currency: 'eur', payment_method: 'pm_card_visa', confirm: true },
        metadata: { tenant: world.tenants.beta, order: 'ord_of_beta', operation: 'op_of_beta' },
      },
      { idempotencyKey: 'of beta' },
    );
    const { operation_id: operation } = await handled(await toldOf({ paymentIntent: id }));
    expect(operation).toBeNull();
    expect(await world.sql('select 1 from hapax.money_fact where payment = $1', id)).toEqual([]);
  });

  it.each<[string, object]>([
    ['of no payment', { payment_intent: null }],
    ['whose money has not moved yet', { balance_transaction: null }],
    ['of a payment that nobody here has made', { metadata: {} }],
    ['without metadata', { metadata: null }],
    ['whose payment is no id', { payment_intent: 7 }],
    ['with an empty id', { payment_intent: '' }],
    ['with an id that is too long', { payment_intent: 'p'.repeat(256) }],
    ['that is something else', { object: 'invoice' }],
  ])('%s begins nothing, and is no dead letter', async (_name, charge) => {
    const payment = { id: 'op_any', orderId: 'ord_any', paymentIntent: 'pi_any' };
    const event = chargeEvent(payment, world.tenants.alpha, { charge });
    expect((await deliver(world, event)).status).toBe(200);
    expect(await handled(event)).toEqual({ handler: 'books', state: 'done', operation_id: null });
  });

  it('of a payment that the provider does not know books nothing', async () => {
    const gone = { id: 'op_gone', orderId: 'ord_gone', paymentIntent: 'pi_gone' };
    const event = chargeEvent(gone, world.tenants.alpha);
    await deliver(world, event);
    const { operation_id: operation } = await handled(event);
    await world.until('it has ended', async () => (await world.state(operation as string)) === 'succeeded');
    expect(await world.sql(`select 1 from hapax.money_fact where payment = 'pi_gone'`)).toEqual([]);
  });
});
