import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { moneyOf } from '../support/money.ts';
import { type Answered, World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.create(inject('ground'), { doors: 2 });
});
afterAll(() => world.close());

type Paid = { readonly id: string; readonly orderId: string; readonly paymentIntent: string };

/** Two mugs for 25 euros. */
async function paid(key: string): Promise<Paid> {
  const { status, json } = await world.checkout(key, { items: [{ sku: 'mug-blue', quantity: 2 }] });
  expect([status, json.amount]).toEqual([201, { minor: 2500, currency: 'eur' }]);
  return json as Paid;
}
const refund = (key: string, { id }: Pick<Paid, 'id'>, more: Record<string, unknown> = {}, ask = {}) =>
  world.ask('POST', '/v1/refunds', { key, body: { checkout: id, ...more }, ...ask });
/** A session of PostgreSQL that a test holds open. */
async function session(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: world.databaseUrl });
  await client.connect();
  return client;
}
const euros = (minor: number) => ({ amount: { minor, currency: 'eur' } });
const refunds = async ({ paymentIntent }: Paid) =>
  (await world.audit({ type: 'refund.created' })).filter((effect) => effect.paymentIntent === paymentIntent);
const codeOf = ({ status, json }: Answered) => [status, json.code];

describe('a refund', () => {
  it('of a whole checkout gives all of it back, once, and books it', async () => {
    const order = await paid('whole');
    const first = await refund('whole refund', order, { reason: 'The mug was broken.' });
    expect([first.status, first.json]).toEqual([
      201,
      {
        id: expect.stringMatching(/^op_/),
        state: 'succeeded',
        refundId: expect.stringMatching(/^rf_/),
        orderId: order.orderId,
        amount: { minor: 2500, currency: 'eur' },
        providerRefund: expect.stringMatching(/^re_/),
      },
    ]);
    const again = await refund('whole refund', order, { reason: 'The mug was broken.' });
    expect([again.text, again.headers.get('idempotent-replayed')]).toEqual([first.text, 'true']);
    expect(await refunds(order)).toMatchObject([{ amount: 2500, operation: first.json.id }]);
    expect(await moneyOf(world, order)).toEqual({ captured: 2500, refunded: 2500 });
    expect(codeOf(await refund('one more', order))).toEqual([422, 'refund-exceeds']);
    expect(await refunds(order)).toHaveLength(1);
  });

  it('of a part runs once for each key: two equal ones on purpose are two, and one that is retried is one', async () => {
    const order = await paid('parts');
    const answers = await Promise.all(
      ['part one', 'part two', 'part two', 'part one'].map((key, n) => refund(key, order, euros(700), { door: n % 2 })),
    );
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    expect(new Set(answers.map(({ json }) => json.refundId)).size).toBe(2);
    expect(await refunds(order)).toMatchObject([{ amount: 700 }, { amount: 700 }]);
    const over = await refund('part three', order, euros(1101));
    expect([...codeOf(over), over.json.left]).toEqual([422, 'refund-exceeds', { minor: 1100, currency: 'eur' }]);
    // Without an amount, it is what is left.
    expect((await refund('the rest', order)).json).toMatchObject(euros(1100));
    expect(await moneyOf(world, order)).toEqual({ captured: 2500, refunded: 2500 });
  });

  it('never gives back more than was paid, whatever comes at once', async () => {
    const order = await paid('race');
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, n) => refund(`race ${n}`, order, euros(1000), { door: n % 2 })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(2);
    expect(answers.filter(({ json }) => json.code === 'refund-exceeds')).toHaveLength(10);
    expect(await refunds(order)).toHaveLength(2);
    expect(await moneyOf(world, order)).toEqual({ captured: 2500, refunded: 2000 });
  });

  it.each(['keyless', 'only_2xx'])('whose answer is lost is one, also at a provider that is %s', async (profile) => {
    const order = await paid(`at ${profile}`);
    await world.sandboxControl('POST', 'settings', { profile });
    await world.faults([{ match: { path: '/v1/refunds$' }, fault: 'garble' }]);
    const { status } = await refund(`lost at ${profile}`, order, euros(700));
    await world.sandboxControl('POST', 'settings', { profile: 'stripe' });
    expect(status).toBe(201);
    expect(await refunds(order)).toMatchObject([{ amount: 700 }]);
    expect(await moneyOf(world, order)).toEqual({ captured: 2500, refunded: 700 });
  });

  it('is refused while the checkout is open, where nothing was paid, and in another currency', async () => {
    const waiting = await world.checkout('waits', { paymentMethod: 'pm_card_threeDSecure2Required' });
    const pending = await refund('too early', waiting.json);
    expect([...codeOf(pending), pending.headers.get('retry-after')]).toEqual([409, 'order-pending', '2']);
    await world.ask('POST', `/v1/operations/${waiting.json.id}/cancel`);
    await world.until('it is released', async () => (await world.state(waiting.json.id)) === 'cancelled');
    // The key was not consumed, and the answer is another one now.
    expect(codeOf(await refund('too early', waiting.json))).toEqual([409, 'order-not-refundable']);
    const order = await paid('euros');
    expect(codeOf(await refund('yen', order, { amount: { minor: 100, currency: 'jpy' } }))).toEqual([
      422,
      'refund-currency',
    ]);
  });

  it('of a currency with three decimals is in tens, as its provider takes it', async () => {
    const items = [{ sku: 'mug-blue', quantity: 2 }];
    const order = (await world.checkout('three decimals', { items, currency: 'kwd' })).json as Paid;
    const dinars = (minor: number) => ({ amount: { minor, currency: 'kwd' } });
    const refused = await refund('no ten', order, dinars(1235));
    expect([...codeOf(refused), refused.json.left]).toEqual([
      ...[422, 'refund-not-in-tens'],
      { minor: 8300, currency: 'kwd' },
    ]);
    expect(refused.json.detail).toContain('1.230 KWD or 1.240 KWD');
    // Nothing was held, and nobody was asked.
    const held = await world.sql('select 1 from hapax.order_refund where order_id = $1', order.orderId);
    expect([held, await refunds(order)]).toEqual([[], []]);
    expect(codeOf(await refund('more and no ten', order, dinars(8301)))).toEqual([422, 'refund-exceeds']);
    expect((await refund('a ten', order, dinars(1230))).status).toBe(201);
    expect((await refund('all the rest', order)).json).toMatchObject(dinars(7070));
  });

  it('that the provider refuses gives the money free again, and says why', async () => {
    const order = await paid('disputed');
    await world.sandboxControl('POST', 'disputes', { payment_intent: order.paymentIntent });
    const refused = await refund('of a dispute', order);
    expect([...codeOf(refused), refused.json.undone]).toEqual([409, 'payment-disputed', ['hold']]);
    expect(await world.sql('select given_back_minor from hapax.customer_order where id = $1', order.orderId)).toEqual([
      { given_back_minor: '0' },
    ]);
    expect(await refunds(order)).toEqual([]);
  });

  it.each([
    [{ checkout: 'op_1' }],
    [{ amount: { minor: 0, currency: 'eur' } }],
    [{ amount: { minor: 1.5, currency: 'eur' } }],
    [{ amount: { minor: 100, currency: 'EUR' } }],
    [{ amount: { minor: 100, currency: 'eur' }, tenant: 'other' }],
    [{ reason: '' }],
  ])('takes no %j', async (more) => {
    expect(codeOf(await refund(`bad ${Object.keys(more).join(' ')}`, { id: `op_${'0'.repeat(26)}` }, more))).toEqual([
      400,
      'request-invalid',
    ]);
  });

  it('is for those who may see the checkout: to another tenant, environment or flow there is none', async () => {
    const order = await paid('of alpha');
    for (const token of ['local-beta', 'live-alpha'])
      expect(codeOf(await refund(`by ${token}`, order, {}, { token }))).toEqual([404, 'not-found']);
    const made = await refund('a real one', order, euros(100));
    expect(codeOf(await refund('of a refund', made.json))).toEqual([404, 'not-found']);
    expect(await refunds(order)).toHaveLength(1);
    expect((await refund('by an operator', order, euros(100), { token: 'operator-alpha' })).status).toBe(201);
  });
});

describe('an order that is cancelled', () => {
  const cancel = (key: string, orderId: string, ask: Record<string, unknown> = {}) =>
    world.ask('POST', `/v1/orders/${orderId}/cancel`, { key, ...ask });
  const stock = async () =>
    Number(
      (
        await world.sql(
          `select stock from hapax.catalogue_item where tenant = $1 and environment = 'test' and sku = 'mug-blue'`,
          world.tenants.alpha,
        )
      )[0]?.stock,
    );
  const state = async (orderId: string) =>
    (await world.sql('select state from hapax.customer_order where id = $1', orderId))[0]?.state;

  it('gives back what is left, and the items, once', async () => {
    const before = await stock();
    const order = await paid('to cancel');
    await refund('a part before', order, euros(500));
    const first = await cancel('cancel it', order.orderId);
    expect([first.status, first.json]).toMatchObject([
      201,
      {
        orderId: order.orderId,
        refunded: { minor: 2000, currency: 'eur' },
        providerRefund: expect.stringMatching(/^re_/),
      },
    ]);
    const again = await cancel('cancel it', order.orderId, {
      body: '',
      headers: { 'content-type': 'application/json' },
    });
    expect(again.text).toBe(first.text);
    expect(await refunds(order)).toMatchObject([{ amount: 500 }, { amount: 2000 }]);
    expect([await state(order.orderId), await stock()]).toEqual(['cancelled', before]);
    expect(await moneyOf(world, order)).toEqual({ captured: 2500, refunded: 2500 });
    expect(codeOf(await cancel('cancel again', order.orderId))).toEqual([409, 'order-not-refundable']);
    // The cart may be bought anew.
    const anew = await world.checkout('bought anew', { cartId: 'cart-to cancel' });
    expect(anew.status).toBe(201);
  });

  it('of which all was given back before is cancelled without another refund', async () => {
    const order = await paid('refunded before');
    await refund('all before', order);
    const { status, json } = await cancel('cancel the rest', order.orderId, { body: { reason: 'Lost in the post.' } });
    expect([status, json.refunded, json.providerRefund]).toEqual([201, { minor: 0, currency: 'eur' }, undefined]);
    expect([await state(order.orderId), await refunds(order)]).toMatchObject(['cancelled', [{ amount: 2500 }]]);
  });

  it('is cancelled by one of many who ask at once, and refunded with those who refund it meanwhile', async () => {
    const order = await paid('many');
    // Each waits for the other: what one of them holds may become free again.
    const ended = (ask: () => Promise<Answered>) =>
      world.until('it has ended', async () => {
        const answer = await ask();
        return answer.json.code !== 'order-pending' && answer;
      });
    const answers = await Promise.all([
      ...Array.from({ length: 5 }, (_, n) => ended(() => cancel(`many ${n}`, order.orderId, { door: n % 2 }))),
      ...Array.from({ length: 5 }, (_, n) =>
        ended(() => refund(`many refund ${n}`, order, euros(400), { door: n % 2 })),
      ),
    ]);
    expect(answers.slice(0, 5).filter(({ status }) => status === 201)).toHaveLength(1);
    const given = await refunds(order);
    expect(given.reduce((sum, { amount }) => sum + amount, 0)).toBe(2500);
    expect(await moneyOf(world, order)).toEqual({ captured: 2500, refunded: 2500 });
  });

  it('waits for a refund that is under way, whose money would otherwise be nobody’s', async () => {
    const order = await paid('beside a refund');
    await world.faults([{ match: { path: '/v1/refunds$' }, fault: 'hold_before' }]);
    const beside = refund('held', order, euros(1000));
    await world.until('it is held', async () => {
      const { held } = (await world.sandboxControl('GET', 'faults')) as { held: unknown[] };
      return held.length > 0;
    });
    const waits = await cancel('beside it', order.orderId);
    expect([...codeOf(waits), waits.headers.get('retry-after')]).toEqual([409, 'order-pending', '2']);
    await world.sandboxControl('POST', 'release', { all: true });
    expect((await beside).status).toBe(201);
    expect((await cancel('beside it', order.orderId)).json.refunded).toEqual({ minor: 1500, currency: 'eur' });
    expect(await moneyOf(world, order)).toEqual({ captured: 2500, refunded: 2500 });
  });

  it('waits for a refund that is committed while the cancellation waits for its order', async () => {
    const order = await paid('beside a commit');
    const refunding = await session();
    await refunding.query('begin');
    await refunding.query('select from hapax.customer_order where id = $1 for no key update', [order.orderId]);
    await refunding.query(
      `insert into hapax.order_refund (id, tenant, environment, order_id, operation_id, amount_minor, currency, state)
       select 'rf_beside', tenant, environment, id, 'op_beside', 500, currency, 'asked' from hapax.customer_order where id = $1`,
      [order.orderId],
    );
    const cancelling = cancel('beside a commit', order.orderId);
    await world.until('the cancellation waits for the order', async () => {
      const waiting = await world.sql(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%cancelled_by%'`,
      );
      return waiting.length > 0;
    });
    await refunding.query('commit');
    expect(codeOf(await cancelling)).toEqual([409, 'order-pending']);
    await refunding.query(`update hapax.order_refund set state = 'withdrawn', ended_at = now() where id = 'rf_beside'`);
    await refunding.end();
    expect((await cancel('beside a commit', order.orderId)).json.refunded).toEqual({ minor: 2500, currency: 'eur' });
    expect(await moneyOf(world, order)).toEqual({ captured: 2500, refunded: 2500 });
  });

  it('is recorded while the books are told of it, and neither waits for the other in a circle', async () => {
    const order = await paid('booked meanwhile');
    const [recording, booking] = [await session(), await session()];
    await world.sql(
      `insert into hapax.order_refund (id, tenant, environment, order_id, operation_id, amount_minor, currency, state)
       select 'rf_circle', tenant, environment, id, 'op_circle', 500, currency, 'asked' from hapax.customer_order where id = $1`,
      order.orderId,
    );
    // The step's statement, at its two moments: the refund's row first, the fact of it then.
    await recording.query('begin');
    await recording.query(`update hapax.order_refund set state = 'made', object = 're_circle' where id = 'rf_circle'`);
    const told = {
      ...{ tenant: world.tenants.alpha, environment: 'test', order: order.orderId, operation: 'op_circle' },
      ...{ object: 're_circle', kind: 'refunded', amount: 500, currency: 'eur', payment: order.paymentIntent },
      at: new Date().toISOString(),
    };
    const booked = booking.query('select * from hapax.book_facts($1, $2, false)', ['stripe', JSON.stringify([told])]);
    await world.until('the books wait', async () => {
      const waiting = await world.sql(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%book_facts%'`,
      );
      return waiting.length > 0;
    });
    await recording.query(
      `insert into hapax.money_fact (provider, object, kind, tenant, environment, amount_minor, currency, payment, order_id, operation_id, happened_at)
       select 'stripe', 're_circle', 'refunded', tenant, environment, 500, currency, payment_intent, id, 'op_circle', now()
       from hapax.customer_order where id = $1 on conflict do nothing`,
      [order.orderId],
    );
    await recording.query('commit');
    await booked;
    await Promise.all([recording.end(), booking.end()]);
    const facts = await world.sql(`select kind from hapax.money_fact where object = 're_circle'`);
    expect(facts).toEqual([{ kind: 'refunded' }]);
    await world.sql(`delete from hapax.money_fact where object = 're_circle'`);
    await world.sql(`update hapax.order_refund set state = 'withdrawn', object = null where id = 'rf_circle'`);
  });

  it('is as it was where the provider refuses', async () => {
    const order = await paid('cancel of a dispute');
    await world.sandboxControl('POST', 'disputes', { payment_intent: order.paymentIntent });
    const refused = await cancel('refused', order.orderId);
    expect([...codeOf(refused), refused.json.undone]).toEqual([409, 'payment-disputed', ['withdraw']]);
    expect(await state(order.orderId)).toBe('paid');
  });

  it('needs a key, and is for those who may see its checkout', async () => {
    const order = await paid('strangers');
    expect(codeOf(await world.ask('POST', `/v1/orders/${order.orderId}/cancel`))).toEqual([400, 'key-missing']);
    expect(codeOf(await cancel('beta', order.orderId, { token: 'local-beta' }))).toEqual([404, 'not-found']);
    expect(codeOf(await cancel('no order', `ord_${'0'.repeat(26)}`))).toEqual([404, 'not-found']);
    expect(codeOf(await cancel('no id', 'mine'))).toEqual([400, 'request-invalid']);
    const [one, other] = [await paid('key one'), await paid('key other')];
    expect((await cancel('one key', one.orderId)).status).toBe(201);
    expect(codeOf(await cancel('one key', other.orderId))).toEqual([422, 'key-reused']);
  });
});
