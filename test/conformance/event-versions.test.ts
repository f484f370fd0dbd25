import Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { registrations } from '../../workers/registrations.ts';
import type { AnyFlow } from '../../workflows/operation/flow.ts';
import { deliver } from '../support/event-sender.ts';
import { moneyOf } from '../support/money.ts';
import { paymentClient } from '../support/payment-client.ts';
import { World } from '../support/world.ts';
import { eventAt } from './event-versions/event-at.ts';
import type { StripeEvent } from './event-versions/version-changes.ts';

/** A version of before and after each change, and the one that the client speaks. */
const versions = [
  ...['2014-12-22', '2016-07-06', '2017-04-06', '2018-11-08', '2020-08-27', '2022-11-15', '2024-06-20'],
  ...['2024-10-28.acacia', '2025-03-31.basil', '2025-09-30.clover', '2026-03-25.dahlia', Stripe.API_VERSION],
] as const;
/** From then on, refunds have events of their own. */
const refundsAreTold = '2024-10-28.acacia';
/** 1.5 % and 25, of 2500. */
const fee = 63;

let world: World;
let provider: Stripe;
beforeAll(async () => {
  world = await World.create(inject('ground'));
  provider = paymentClient(world);
});
afterAll(() => world.close());

/** The types of all events so far. */
const sent = new Set<string>();

type Paid = { readonly id: string; readonly orderId: string; readonly paymentIntent: string };
type Handled = { readonly handler: string; readonly state: string; readonly operation_id: string | null };

async function paid(key: string): Promise<Paid> {
  const { status, json } = await world.checkout(key, { items: [{ sku: 'mug-blue', quantity: 2 }] });
  expect(status).toBe(201);
  return json as Paid;
}

/** A checkout whose card asks for its buyer. */
async function asked(key: string): Promise<Paid> {
  const { status, json } = await world.checkout(key, { paymentMethod: 'pm_card_threeDSecure2Required' });
  expect(status).toBe(202);
  const [opened] = await world.sql<{ payment: string }>(
    `select result ->> 'paymentIntent' as payment from hapax.step where operation_id = $1 and name = 'openPayment'`,
    json.id,
  );
  return { id: json.id, orderId: '', paymentIntent: opened?.payment ?? '' };
}

const payment = ({ id, orderId, paymentIntent }: Paid, changes: Record<string, unknown> = {}) => ({
  id: paymentIntent,
  metadata: { tenant: world.tenants.alpha, operation: id, order: orderId },
  ...changes,
});
const charge = (order: Paid, changes: Record<string, unknown> = {}) => ({
  ...payment(order, changes),
  id: `ch_of_${order.paymentIntent}`,
  payment_intent: order.paymentIntent,
});

/** Delivers an event, and waits until everything that it sets off is done, by operations of their own. */
async function told(event: StripeEvent): Promise<readonly string[]> {
  expect((await deliver(world, event)).status).toBe(200);
  sent.add(event.type);
  const handlings = await world.until(`${event.type} of ${event.api_version} is handled`, async () => {
    const rows = await world.sql<Handled>(
      `select h.handler, h.state, h.operation_id from hapax.inbox_event e
       join hapax.inbox_handling h on h.event_id = e.id where e.event = $1 order by h.handler`,
      event.id,
    );
    return rows.every(({ state }) => state === 'done') && rows;
  });
  expect(handlings.filter(({ operation_id: operation }) => operation === null)).toEqual([]);
  return handlings.map(({ handler }) => handler);
}
const booked = async (order: Paid, wanted: Record<string, number>) => {
  await world.until(`the books of ${order.orderId} are ${JSON.stringify(wanted)}`, async () => {
    const facts = await world.sql<{ kind: string; sum: string }>(
      'select kind, sum(amount_minor) from hapax.money_fact where order_id = $1 group by kind',
      order.orderId,
    );
    return facts.length === Object.keys(wanted).length && facts.every(({ kind, sum }) => wanted[kind] === Number(sum));
  });
  expect(await moneyOf(world, order)).toEqual(wanted);
};
const count = async (table: string, orderId: string) =>
  (await world.sql(`select 1 from hapax.${table} where order_id = $1`, orderId)).length;

describe.each(versions)('events of API version %s', (version) => {
  it('of a payment have its order sent and credited once, and its fee booked', async () => {
    const order = await paid(`paid ${version}`);
    const event = eventAt(version, 'payment_intent.succeeded', 'payment_intent', payment(order));
    expect(await told(event)).toEqual(expect.arrayContaining(['credit', 'ship']));
    expect((await deliver(world, event)).headers.get('idempotency-status')).toBe('replayed');
    for (const type of ['charge.captured', 'charge.updated']) {
      expect(await told(eventAt(version, type, 'charge', charge(order)))).toEqual(['books']);
      await booked(order, { captured: 2500, fee });
    }
    expect([await count('shipment', order.orderId), await count('store_credit', order.orderId)]).toEqual([1, 1]);
  });

  it('of a refund by hand book it, and book it back when the bank returns it', async () => {
    const order = await paid(`refunded ${version}`);
    const { id } = await provider.refunds.create(
      { payment_intent: order.paymentIntent, amount: 300 },
      { idempotencyKey: `by hand ${version}` },
    );
    const refund = { id, payment_intent: order.paymentIntent };
    const first =
      version < refundsAreTold
        ? eventAt(version, 'charge.refunded', 'charge', charge(order, { amount_refunded: 300 }))
        : eventAt(version, 'refund.created', 'refund', refund);
    expect(await told(first)).toEqual(['books']);
    await booked(order, { captured: 2500, fee, refunded: 300 });
    await world.sandboxControl('POST', `refunds/${id}/fail`, {});
    const failed = { ...refund, status: 'failed', failure_reason: 'expired_or_canceled_card' };
    expect(await told(eventAt(version, 'refund.failed', 'refund', failed))).toEqual(['books']);
    await booked(order, { captured: 2500, fee, refunded: 300, refund_failed: 300 });
    expect(await told(eventAt(version, 'refund.updated', 'refund', failed))).toEqual(['books']);
    await booked(order, { captured: 2500, fee, refunded: 300, refund_failed: 300 });
  });

  it('of a dispute book what the bank takes and returns', async () => {
    const order = await paid(`disputed ${version}`);
    const { id } = (await world.sandboxControl('POST', 'disputes', { payment_intent: order.paymentIntent })) as Paid;
    const dispute = { id, payment_intent: order.paymentIntent };
    const taken = { captured: 2500, fee: fee + 1500, disputed: 2500 };
    for (const type of ['charge.dispute.created', 'charge.dispute.funds_withdrawn']) {
      expect(await told(eventAt(version, type, 'dispute', dispute))).toEqual(['books']);
      await booked(order, taken);
    }
    await world.sandboxControl('POST', `disputes/${id}/close`, { outcome: 'won' });
    for (const type of ['charge.dispute.closed', 'charge.dispute.funds_reinstated']) {
      expect(await told(eventAt(version, type, 'dispute', { ...dispute, status: 'won' }))).toEqual(['books']);
      await booked(order, { ...taken, dispute_won: 2500, fee_returned: 1500 });
    }
  });

  it.each([
    ['payment_intent.amount_capturable_updated', 'succeed', 'requires_capture', 201],
    ['payment_intent.payment_failed', 'fail', 'requires_payment_method', 402],
    ['payment_intent.canceled', 'cancel', 'canceled', 409],
  ])('%s ends the wait for the buyer', async (type, outcome, status, ends) => {
    const waiting = await asked(`${outcome} ${version}`);
    if (outcome === 'cancel')
      await provider.paymentIntents.cancel(waiting.paymentIntent, {}, { idempotencyKey: `cancel ${version}` });
    else await world.sandboxControl('POST', `payment_intents/${waiting.paymentIntent}/authenticate`, { outcome });
    expect(await told(eventAt(version, type, 'payment_intent', payment(waiting, { status })))).toEqual([
      'checkout.authenticate',
    ]);
    const { status: answered } = await world.checkout(`${outcome} ${version}`, {
      paymentMethod: 'pm_card_threeDSecure2Required',
    });
    expect(answered).toBe(ends);
  });

  it('keep nothing with which a buyer answers their bank', async () => {
    const secret = `https://hooks.stripe.com/${version}?client_secret=buyersOwn`;
    const event = eventAt(version, 'payment_intent.requires_action', 'payment_intent', {
      status: 'requires_action',
      next_action: { type: 'redirect_to_url', redirect_to_url: { return_url: null, url: secret } },
    });
    expect((await deliver(world, event)).status).toBe(200);
    const [kept] = await world.sql<{ body: Buffer }>('select body from hapax.inbox_event where event = $1', event.id);
    expect(kept?.body.toString()).toContain('"amount_received":2500');
    expect(kept?.body.toString()).not.toContain('buyersOwn');
  });

  // Until 2017-04-06 payouts were told as transfers. They are recorded, and left to the reconciler to count.
  it('of a payout book it, where the version has payouts', async () => {
    const { id, amount } = (await world.sandboxControl('POST', 'payouts', { currency: 'eur', amount: 10 })) as {
      id: string;
      amount: number;
    };
    const event = eventAt(version, 'payout.paid', 'payout', { id, amount });
    expect(await told(event)).toEqual(version < '2017-04-06' ? [] : ['books']);
    if (version < '2017-04-06') return;
    await world.until('the payout is booked', async () => {
      const [fact] = await world.sql('select kind, amount_minor from hapax.money_fact where object = $1', id);
      return fact?.kind === 'paid_out' && Number(fact.amount_minor) === amount;
    });
  });
});

it('a thin event, which names its object alone, is recorded and not acted on', async () => {
  const order = await paid('thin');
  const event = {
    ...{ id: 'evt_thin', object: 'v2.core.event', type: 'v1.payment_intent.succeeded', livemode: false },
    created: new Date().toISOString(),
    related_object: {
      id: order.paymentIntent,
      type: 'payment_intent',
      url: `/v1/payment_intents/${order.paymentIntent}`,
    },
  };
  expect((await deliver(world, event)).status).toBe(200);
  const [kept] = await world.sql('select object from hapax.inbox_event where event = $1', event.id);
  expect(kept).toEqual({ object: order.paymentIntent });
  const acted = await world.sql(
    'select 1 from hapax.inbox_handling h join hapax.inbox_event e on e.id = h.event_id where e.event = $1',
    event.id,
  );
  expect(acted).toEqual([]);
});

it('every type that a flow hears was sent', async () => {
  const flows = (await registrations()).map(({ flow }): AnyFlow => flow);
  const heard = flows
    .flatMap(({ on, steps }) => [
      on,
      ...Object.values(steps).map((step) => (step.effect === 'await' ? step.on : undefined)),
    ])
    .flatMap((on) => (on?.from === 'stripe' ? on.types : []));
  expect(heard.filter((type) => !sent.has(type))).toEqual([]);
});
