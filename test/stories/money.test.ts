import { Client, Connection } from '@temporalio/client';
import type Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { secrets } from '../support/event-sources.ts';
import { hapax } from '../support/hapax-command.ts';
import { moneyOf } from '../support/money.ts';
import { paymentClient } from '../support/payment-client.ts';
import { World } from '../support/world.ts';

let world: World;
let provider: Stripe;
beforeAll(async () => {
  world = await World.create(inject('ground'), {
    oddMoney: 'an order is released by hand',
    // Once a week: on the full hour the schedule itself would book what these tests look for.
    env: { HAPAX_RECONCILE_MINUTES: String(7 * 24 * 60) },
  });
  provider = paymentClient(world);
});
afterAll(() => world.close());

type Paid = { readonly id: string; readonly orderId: string; readonly paymentIntent: string };

async function paid(key: string, changes = {}): Promise<Paid> {
  const { status, json } = await world.checkout(key, { items: [{ sku: 'mug-blue', quantity: 2 }], ...changes });
  expect(status).toBe(201);
  return json as Paid;
}
const tellTheDoor = (plan: readonly unknown[] = []) =>
  world.sandboxControl('POST', 'webhooks', {
    url: `${world.doors[0]?.address}/v1/webhooks/stripe`,
    secret: secrets.stripe,
    plan,
  });
const refund = async (key: string, { id }: Paid, minor?: number) => {
  const amount = minor === undefined ? {} : { amount: { minor, currency: 'eur' } };
  const answer = await world.ask('POST', '/v1/refunds', { key, body: { checkout: id, ...amount } });
  expect(answer.status).toBe(201);
  return answer.json as { id: string; providerRefund: string };
};
const quietly = () =>
  world.until('all events are handled', async () => {
    const left = await world.sql(`select 1 from hapax.inbox_handling where state <> 'done'`);
    const open = await world.sql(`select 1 from hapax.operation where settled_at is null`);
    return left.length + open.length === 0;
  });
const books = async (order: Paid, wanted: Record<string, number>) => {
  await world.until(`the books of ${order.orderId} are ${JSON.stringify(wanted)}`, async () => {
    const facts = await world.sql<{ kind: string; sum: string }>(
      'select kind, sum(amount_minor) from hapax.money_fact where order_id = $1 group by kind',
      order.orderId,
    );
    return facts.length === Object.keys(wanted).length && facts.every(({ kind, sum }) => wanted[kind] === Number(sum));
  });
  await quietly();
  expect(await moneyOf(world, order)).toEqual(wanted);
};
const differences = async (query = 'open=true', token = 'operator-alpha') =>
  (await world.ask('GET', `/v1/differences?${query}`, { token })).json.differences as Record<string, unknown>[];
const reconcile = async (...args: readonly string[]) => {
  const ran = await hapax(world.env, 'reconcile', '-o', 'json', ...args);
  return { ...ran, json: ran.out === '' ? undefined : JSON.parse(ran.out) };
};
/** A refund that failed before it had moved anything. No ledger of the provider's shows it. */
let unmoved = '';
/** 1.5 % and 25, of 2500. */
const fee = 63;

describe('events', () => {
  beforeAll(() => tellTheDoor());

  it('have each fact booked once, with its fee, whoever tells of it and however often', async () => {
    await tellTheDoor([{ do: 'duplicate', copies: 3 }]);
    const order = await paid('told');
    await books(order, { captured: 2500, fee });
    await refund('told refund', order, 700);
    await books(order, { captured: 2500, fee, refunded: 700 });
    await tellTheDoor();
  });

  it('in the wrong order end the same: what is told first of a refund ends as refunded', async () => {
    await tellTheDoor([{ type: 'charge.updated', do: 'delay', delayMs: 1500 }]);
    const order = await paid('disorder');
    await refund('disorder refund', order);
    await books(order, { captured: 2500, fee, refunded: 2500 });
    // What comes late changes nothing.
    const [late] = await world.until('the late event was handled', async () => {
      const rows = await world.sql(
        `select h.state from hapax.inbox_handling h join hapax.inbox_event e on e.id = h.event_id
         where e.type = 'charge.updated' and h.handler = 'books' and h.state = 'done'
           and convert_from(e.body, 'utf8')::jsonb #>> '{data,object,payment_intent}' = $1`,
        order.paymentIntent,
      );
      return rows.length === 1 && rows;
    });
    expect(late).toEqual({ state: 'done' });
    await books(order, { captured: 2500, fee, refunded: 2500 });
    await tellTheDoor();
  });

  it('of a refund that the bank sends back days later give the money back to the books, and ask for a person', async () => {
    const order = await paid('sent back');
    const made = await refund('sent back refund', order);
    await books(order, { captured: 2500, fee, refunded: 2500 });
    await world.sandboxControl('POST', 'settings', { clockOffsetMs: 5 * 24 * 60 * 60 * 1000 });
    await world.sandboxControl('POST', `refunds/${made.providerRefund}/fail`, {});
    await books(order, { captured: 2500, fee, refunded: 2500, refund_failed: 2500 });
    await world.sandboxControl('POST', 'settings', { clockOffsetMs: 0 });
    const [open] = await differences();
    expect(open).toMatchObject({
      ...{ kind: 'refund-failed', object: made.providerRefund, order: order.orderId, operation: made.id },
      ...{ ours: { minor: 2500, currency: 'eur' }, theirs: { minor: 0, currency: 'eur' } },
      says: expect.stringContaining('pay the buyer in another way'),
    });
    const inTrouble = await world.ask('GET', '/v1/operations?trouble=true', { token: 'operator-alpha' });
    expect(inTrouble.json.operations).toMatchObject([
      { id: made.id, state: 'succeeded', trouble: { step: 'money', needs: 'person' } },
    ]);
    // The money can be given back anew, and the answer of then stays.
    expect(await refund('sent back refund', order)).toEqual(made);
    const settle = (token: string, reason: string) =>
      world.ask('POST', `/v1/differences/${open?.id}/settle`, { token, body: { reason } });
    expect((await settle('local-alpha', 'no')).status).toBe(403);
    expect((await settle('operator-beta', 'no')).status).toBe(404);
    const settled = await settle('operator-alpha', 'Paid by bank transfer.');
    expect(settled.json).toMatchObject({ endedBy: 'default', reason: 'Paid by bank transfer.' });
    expect((await settle('operator-alpha', 'Another word.')).json.reason).toBe('Paid by bank transfer.');
    expect(await differences()).toEqual([]);
    expect((await world.ask('GET', `/v1/operations/${made.id}`)).json.trouble).toBeUndefined();
  });

  it('of a refund that fails before it has moved anything give the money back to the books, and ask for a person', async () => {
    const order = await paid('never moved', { paymentMethod: 'pm_card_pendingRefund' });
    const made = await refund('never moved refund', order);
    unmoved = made.providerRefund;
    await books(order, { captured: 2500, fee, refunded: 2500 });
    await world.sandboxControl('POST', `refunds/${made.providerRefund}/fail`, {});
    await books(order, { captured: 2500, fee, refunded: 2500, refund_failed: 2500 });
    expect(await differences()).toMatchObject([{ kind: 'refund-failed', object: made.providerRefund }]);
    // The provider's ledger has no line of it, and that is no difference.
    await reconcile('--late', '0');
    const [open, ...others] = await differences();
    expect([open?.kind, others]).toEqual(['refund-failed', []]);
    await world.ask('POST', `/v1/differences/${open?.id}/settle`, {
      token: 'operator-alpha',
      body: { reason: 'Paid by bank transfer.' },
    });
  });

  it('of a refund that somebody has made at the provider bring the order up to date', async () => {
    const order = await paid('by hand');
    await provider.refunds.create({ payment_intent: order.paymentIntent, amount: 300 }, { idempotencyKey: 'by hand' });
    await books(order, { captured: 2500, fee, refunded: 300 });
    const over = await world.ask('POST', '/v1/refunds', {
      key: 'over',
      body: { checkout: order.id, amount: { minor: 2201, currency: 'eur' } },
    });
    expect([over.status, over.json.left]).toEqual([422, { minor: 2200, currency: 'eur' }]);
  });

  it('of a dispute book what the bank takes and returns; a refund beside it is one reversal', async () => {
    const order = await paid('disputed');
    const [disputed, refunded] = await Promise.all([
      world.sandboxControl('POST', 'disputes', { payment_intent: order.paymentIntent }).catch(() => undefined),
      world.ask('POST', '/v1/refunds', { key: 'beside it', body: { checkout: order.id } }),
    ]);
    expect([disputed !== undefined, refunded.status === 201]).toContain(true);
    expect([disputed !== undefined, refunded.status === 201]).toContain(false);
    const taken = await paid('taken');
    const { id } = (await world.sandboxControl('POST', 'disputes', { payment_intent: taken.paymentIntent })) as Paid;
    await books(taken, { captured: 2500, fee: fee + 1500, disputed: 2500 });
    await world.sandboxControl('POST', `disputes/${id}/close`, { outcome: 'won' });
    await books(taken, { captured: 2500, fee: fee + 1500, disputed: 2500, dispute_won: 2500, fee_returned: 1500 });
  });

  it('of a payout book what the account was paid', async () => {
    const { id, amount } = (await world.sandboxControl('POST', 'payouts', { currency: 'eur' })) as {
      id: string;
      amount: number;
    };
    await world.until('the payout is booked', async () => {
      const [fact] = await world.sql('select kind, amount_minor from hapax.money_fact where object = $1', id);
      return fact?.kind === 'paid_out' && Number(fact.amount_minor) === amount;
    });
  });
});

describe('the reconciler', () => {
  beforeAll(() => world.sandboxControl('DELETE', 'webhooks'));

  it('books what no event has told of, and says nothing of what adds up', async () => {
    await reconcile();
    const order = await paid('untold');
    await refund('untold refund', order, 400);
    await provider.refunds.create(
      { payment_intent: order.paymentIntent, amount: 100 },
      { idempotencyKey: 'untold by hand' },
    );
    const { code, json } = await reconcile();
    expect([code, json]).toMatchObject([0, { booked: 2, unassigned: 0, differences: [] }]);
    await books(order, { captured: 2500, fee, refunded: 500 });
    // All that is in the provider's ledger was seen there.
    const unseen = await world.sql(
      'select object, kind from hapax.money_fact where confirmed_at is null and object <> $1',
      unmoved,
    );
    expect(unseen).toEqual([]);
    expect((await reconcile()).json).toMatchObject({ booked: 0, differences: [] });
    const balance = await provider.balance.retrieve();
    const [receivable] = await world.sql<{ sum: string }>(
      `select sum(balance_minor) from hapax.money_balance where account = 'receivable' and currency = 'eur'`,
    );
    expect(Number(receivable?.sum)).toBe(balance.available.find(({ currency }) => currency === 'eur')?.amount);
  });

  it('lists what does not add up with the operation behind it, until it does', async () => {
    const [wrong, early, held] = [await paid('wrong'), await paid('early'), await paid('held')];
    await world.sql(
      `update hapax.money_fact set amount_minor = 2400 where object = $1 and kind = 'captured'`,
      wrong.paymentIntent,
    );
    await world.sql(
      `insert into hapax.money_fact (provider, object, kind, tenant, environment, amount_minor, currency, payment, order_id, operation_id, happened_at)
       select 'stripe', 're_nobody', 'refunded', tenant, environment, 100, 'eur', payment, order_id, operation_id, now()
       from hapax.money_fact where object = $1 and kind = 'captured'`,
      early.paymentIntent,
    );
    await world.sql(`update hapax.customer_order set state = 'released' where id = $1`, held.orderId);
    const { code, told, json } = await reconcile('--late', '0');
    expect([code, told]).toEqual([1, expect.stringContaining('a person has to look')]);
    expect(json.differences).toHaveLength(3);
    expect(json.differences).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ kind: 'amount-differs', operation: wrong.id, ours: 2400, theirs: 2500 }),
        expect.objectContaining({ kind: 'missing-at-provider', object: 're_nobody', operation: early.id, ours: 100 }),
        expect.objectContaining({ kind: 'money-held', order: held.orderId, operation: held.id, theirs: 2500 }),
      ]),
    );
    expect(await differences('open=true', 'operator-beta')).toEqual([]);
    expect((await world.ask('GET', `/v1/operations/${held.id}`)).json.trouble).toMatchObject({
      says: expect.stringContaining('still with us'),
    });
    // It stays listed once, however often it is found; and it is over when it is over.
    await provider.refunds.create({ payment_intent: held.paymentIntent }, { idempotencyKey: 'held' });
    await world.sql(`delete from hapax.money_fact where object = 're_nobody'`);
    await reconcile('--late', '0');
    expect(await differences()).toMatchObject([{ kind: 'amount-differs', object: wrong.paymentIntent }]);
    await world.sql(
      `update hapax.money_fact set amount_minor = 2500, confirmed_at = null where object = $1 and kind = 'captured'`,
      wrong.paymentIntent,
    );
    const ended = await reconcile('--late', '0');
    expect([ended.code, ended.json.differences]).toEqual([0, []]);
  });

  it('finds money that is still with us whenever it was paid, and beside however many orders that add up', async () => {
    const order = await paid('cancelled late');
    await world.sql(
      `update hapax.customer_order set state = 'cancelled', cancelled_at = now(), cancelled_by = 'op_by_hand' where id = $1`,
      order.orderId,
    );
    await world.sql(
      `update hapax.money_fact set recorded_at = recorded_at - interval '8 days' where order_id = $1`,
      order.orderId,
    );
    // More than a pass lists of one kind. They are read first, and add up.
    const balanced = [world.tenants.alpha, 1_100] as const;
    await world.sql(
      `insert into hapax.customer_order (id, tenant, environment, operation_id, cart_id, state, amount_minor, currency, payment_intent, paid_at, cancelled_by, cancelled_at)
       select '0_balanced' || n, $1, 'test', 'op_balanced' || n, 'cart' || n, 'cancelled', 100, 'eur', 'pi_balanced' || n, now(), 'op_c' || n, now()
       from generate_series(1, $2::int) n`,
      ...balanced,
    );
    await world.sql(
      `insert into hapax.money_fact (provider, object, kind, tenant, environment, amount_minor, currency, payment, order_id, operation_id, happened_at, confirmed_at)
       select 'stripe', kind || n, kind, $1, 'test', 100, 'eur', 'pi_balanced' || n, '0_balanced' || n, 'op', now(), now()
       from generate_series(1, $2::int) n, (values ('captured'), ('refunded')) as k (kind)`,
      ...balanced,
    );
    const held = async () => {
      await reconcile('--late', '0');
      return (await differences()).filter(({ kind }) => kind === 'money-held').map(({ order: of }) => of);
    };
    expect(await held()).toEqual([order.orderId]);
    // A person who has settled it is not asked again.
    const [open] = await differences();
    await world.ask('POST', `/v1/differences/${open?.id}/settle`, {
      token: 'operator-alpha',
      body: { reason: 'The buyer has it in cash.' },
    });
    expect(await held()).toEqual([]);
    await world.sql(`delete from hapax.money_fact where order_id like '0_balanced%'`);
    await world.sql(`delete from hapax.customer_order where id like '0_balanced%'`);
  });

  it('lists the payment of a checkout that could not be undone', async () => {
    const order = await paid('not undone');
    await world.sql(`update hapax.customer_order set state = 'pending', paid_at = null where id = $1`, order.orderId);
    await reconcile('--late', '0');
    expect(await differences()).toMatchObject([
      { kind: 'money-held', order: order.orderId, says: expect.stringContaining('is pending') },
    ]);
    await provider.refunds.create({ payment_intent: order.paymentIntent }, { idempotencyKey: 'not undone' });
    await reconcile('--late', '0');
    expect(await differences()).toEqual([]);
  });

  it('lists a difference again that was over by itself, and one beside another of the same object', async () => {
    const order = await paid('twice different');
    await reconcile('--late', '0');
    const set = (kind: string, minor: number) =>
      world.sql(
        'update hapax.money_fact set amount_minor = $3 where object = $1 and kind = $2',
        ...[order.paymentIntent, kind, minor],
      );
    const listed = async () => {
      await reconcile('--late', '0');
      return (await differences()).map(({ object, ours }) => [object, (ours as { minor: number }).minor]);
    };
    await set('captured', 2400);
    expect(await listed()).toEqual([[order.paymentIntent, 2400]]);
    await set('captured', 2500);
    expect(await listed()).toEqual([]);
    await set('captured', 2300);
    await set('fee', 1);
    expect(new Set((await listed()).map(([, ours]) => ours))).toEqual(new Set([1, 2300]));
    await set('captured', 2500);
    await set('fee', fee);
    expect(await listed()).toEqual([]);
  });

  it('leaves nothing out after a pass that began later than the one before had ended', async () => {
    await reconcile();
    await world.sql(`update hapax.money_pass set covered_until = covered_until - interval '3 days'`);
    await reconcile('--since', new Date(Date.now() - 1_000).toISOString());
    const { json } = await reconcile();
    expect(Date.now() - Date.parse(json.from)).toBeGreaterThan(3 * 24 * 60 * 60 * 1_000);
  });

  it('tells of a payment for an order that is not here, and leaves alone what is of nobody here', async () => {
    const strangers = [
      { metadata: { tenant: world.tenants.alpha, order: 'ord_gone', operation: 'op_gone' } },
      { metadata: {} },
    ];
    for (const [n, more] of strangers.entries())
      await provider.paymentIntents.create(
        { amount: 900, currency: 'eur', payment_method: 'pm_card_visa', confirm: true, ...more },
        { idempotencyKey: `stranger ${n}` },
      );
    const { code, json } = await reconcile();
    expect([code, json.unassigned, json.differences]).toMatchObject([
      1,
      1,
      [{ kind: 'unknown-payment', theirs: 900, says: expect.stringContaining('ord_gone') }],
    ]);
    const [listed] = await differences();
    await world.ask('POST', `/v1/differences/${listed?.id}/settle`, {
      token: 'operator-alpha',
      body: { reason: 'An order of the old shop.' },
    });
    expect((await reconcile()).code).toBe(0);
  });

  it('runs by a schedule of Temporal', async () => {
    const order = await paid('scheduled');
    const connection = await Connection.connect({ address: world.env.TEMPORAL_ADDRESS ?? '' });
    const client = new Client({ connection });
    await client.schedule.getHandle(`reconcile/${world.env.HAPAX_TASK_QUEUE}`).trigger();
    await books(order, { captured: 2500, fee });
    await connection.close();
  });

  it.each([
    [['--since', 'yesterday'], /Give a date/],
    [['--since', '2999-01-01'], /not in the future/],
    [['--late', '-1'], /whole number of minutes/],
    [['now'], /too many arguments/],
  ])('takes no %j', async (args, said) => {
    const { code, told } = await hapax(world.env, 'reconcile', ...args);
    expect([code, told]).toEqual([2, expect.stringMatching(said)]);
  });
});
