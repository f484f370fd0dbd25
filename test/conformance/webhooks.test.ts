import { request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { deliver, deliverHub, deliverStandard, paymentEvent } from '../support/event-sender.ts';
import { secrets } from '../support/event-sources.ts';
import { World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.create(inject('ground'), { doors: 2, oddMoney: 'orders are changed by hand' });
});
afterAll(() => world.close());

type Paid = { readonly id: string; readonly orderId: string; readonly paymentIntent: string };

async function paid(key: string): Promise<Paid> {
  const { status, json } = await world.checkout(key);
  expect(status).toBe(201);
  return json as Paid;
}

const effects = async ({ orderId }: Pick<Paid, 'orderId'>) => ({
  shipments: (await world.sql('select id from hapax.shipment where order_id = $1', orderId)).length,
  credits: (await world.sql('select id from hapax.store_credit where order_id = $1', orderId)).length,
});
const once = { shipments: 1, credits: 1 };

async function handled(event: { readonly id: string }): Promise<void> {
  await world.until(`${event.id} is handled`, async () => {
    const all = await handlings(event);
    return all.length === 2 && all.every(({ state }) => state === 'done');
  });
}
const handlings = (event: { readonly id: string }) =>
  world.sql(
    `select h.id, h.handler, h.state, h.tries, h.code, h.detail, h.operation_id from hapax.inbox_handling h
     join hapax.inbox_event e on e.id = h.event_id where e.event = $1 order by h.handler`,
    event.id,
  );
const recorded = async () => Number((await world.sql('select count(*) as n from hapax.inbox_event'))[0]?.n);

describe('an event', () => {
  it('is recorded, answered, and acted on once by each of its handlers', async () => {
    const payment = await paid('once');
    const event = paymentEvent(payment, world.tenants.alpha);
    const answer = await deliver(world, event);
    expect([answer.status, answer.json]).toEqual([
      200,
      { id: expect.stringMatching(/^evt_[0-9a-z]{26}$/), received: true },
    ]);
    await handled(event);
    expect(await effects(payment)).toEqual(once);
    const [credit, ship] = await handlings(event);
    expect([credit?.handler, ship?.handler]).toEqual(['credit', 'ship']);
    // Each is an operation like any other, without a workflow.
    const operation = await world.ask('GET', `/v1/operations/${ship?.operation_id}`, { token: 'operator-alpha' });
    expect(operation.json).toMatchObject({
      ...{ flow: 'ship', state: 'succeeded', key: event.id },
      result: { shipmentId: expect.stringMatching(/^shp_/) },
    });
  });

  it('that is delivered a thousand times at once, at two doors, gets one answer and changes nothing more', async () => {
    const payment = await paid('thousand');
    const event = paymentEvent(payment, world.tenants.alpha);
    const answers = new Set<string>();
    const left = Array.from({ length: 1_000 }, (_, n) => n);
    const sender = async () => {
      for (let n = left.pop(); n !== undefined; n = left.pop()) {
        // As Stripe does, a redelivery may say other things of itself.
        const told = { ...event, pending_webhooks: n % 3 };
        // A crowd opens all connections at once, and on a busy machine one may take too long: the sender delivers again.
        const { status, text } = await world.until('it is taken', async () => {
          const answer = await deliver(world, told, { door: n % 2 });
          return answer.json?.code !== 'ledger-unavailable' && answer;
        });
        answers.add(`${status} ${text}`);
      }
    };
    await Promise.all(Array.from({ length: 40 }, sender));
    expect([...answers]).toEqual([expect.stringMatching(/^200 /)]);
    await handled(event);
    expect(await effects(payment)).toEqual(once);
    expect(await handlings(event)).toHaveLength(2);
  });

  it('of a fact that another event has told already makes no second entry', async () => {
    const payment = await paid('two events');
    for (const id of ['evt_first', 'evt_second']) {
      const event = paymentEvent(payment, world.tenants.alpha, { id });
      expect((await deliver(world, event)).status).toBe(200);
      await handled(event);
    }
    expect(await effects(payment)).toEqual(once);
    const results = await world.sql(
      `select answer_body from hapax.operation where flow = 'ship' and key in ('evt_first', 'evt_second')`,
    );
    const shipments = results.map(({ answer_body: body }) => JSON.parse(String(body)).shipmentId as string);
    expect(new Set(shipments).size).toBe(1);
  });

  it('that no handler listens to, or that is of another tenant of the account, is recorded and does nothing', async () => {
    const payment = await paid('not heard');
    const unheard = paymentEvent(payment, world.tenants.alpha, { type: 'customer.created' });
    const others = paymentEvent(payment, world.tenants.beta);
    for (const event of [unheard, others]) expect((await deliver(world, event)).status).toBe(200);
    await handled(others);
    expect(await handlings(unheard)).toEqual([]);
    expect(await effects(payment)).toEqual({ shipments: 0, credits: 0 });
  });

  it('that comes before our own record waits for it', async () => {
    const payment = await paid('early');
    await world.sql(
      `update hapax.customer_order set state = 'pending', payment_intent = null, paid_at = null where id = $1`,
      payment.orderId,
    );
    const event = paymentEvent(payment, world.tenants.alpha);
    await deliver(world, event);
    await world.until('it was tried', async () => (await handlings(event)).every(({ code }) => code !== null));
    expect(await effects(payment)).toEqual({ shipments: 0, credits: 0 });
    expect((await handlings(event)).map(({ state, code }) => [state, code])).toEqual([
      ['due', 'order-pending'],
      ['due', 'order-pending'],
    ]);
    await world.sql(
      `update hapax.customer_order set state = 'paid', payment_intent = $2, paid_at = now() where id = $1`,
      ...[payment.orderId, payment.paymentIntent],
    );
    await handled(event);
    expect(await effects(payment)).toEqual(once);
  });

  it('of one environment does not touch an order of the other', async () => {
    const payment = await paid('of the other environment');
    await world.sql(`update hapax.customer_order set environment = 'live' where id = $1`, payment.orderId);
    const event = paymentEvent(payment, world.tenants.alpha);
    await deliver(world, event);
    await world.until('it is parked', async () => (await handlings(event)).every(({ state }) => state === 'parked'));
    expect(await effects(payment)).toEqual({ shipments: 0, credits: 0 });
    const live = paymentEvent(payment, world.tenants.alpha, { livemode: true });
    await deliver(world, live, { source: 'stripe-live', secret: secrets.live });
    await handled(live);
    expect(await effects(payment)).toEqual(once);
  });

  it('of another payment than the one that paid does nothing, also when the order is sent already', async () => {
    const payment = await paid('paid twice');
    const [first, other] = [
      paymentEvent(payment, world.tenants.alpha),
      paymentEvent({ ...payment, paymentIntent: 'pi_other' }, world.tenants.alpha),
    ];
    await deliver(world, first);
    await handled(first);
    await deliver(world, other);
    await handled(other);
    const states = await world.sql(`select distinct state from hapax.operation where key = $1`, other.id);
    expect(states).toEqual([{ state: 'refused' }]);
    expect(await effects(payment)).toEqual(once);
  });

  it('of an order that was released does nothing, for good', async () => {
    const payment = await paid('released');
    await world.sql(`update hapax.customer_order set state = 'released' where id = $1`, payment.orderId);
    const event = paymentEvent(payment, world.tenants.alpha);
    await deliver(world, event);
    await handled(event);
    expect(await effects(payment)).toEqual({ shipments: 0, credits: 0 });
    const [credit] = await handlings(event);
    const operation = await world.ask('GET', `/v1/operations/${credit?.operation_id}`, { token: 'operator-alpha' });
    expect(operation.json).toMatchObject({ state: 'refused', problem: { code: 'order-not-paid' } });
  });
});

describe('other ways of signing', () => {
  it.each([
    [
      'Standard Webhooks',
      'standard',
      (id: string) => deliverStandard(world, id, { type: 'ping', data: { id: 'thing' } }),
    ],
    // Its id is the digest of what is signed: under another id in a header, it is the same event.
    ['a plain HMAC', 'hub', (id: string) => deliverHub(world, { action: 'ping', id }, crypto.randomUUID())],
  ])('%s is taken, once', async (_name, source, send) => {
    const answers = [await send('one'), await send('one'), await send('two')];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(answers[0]?.text).toBe(answers[1]?.text);
    expect(await world.sql(`select type from hapax.inbox_event where source = $1`, source)).toEqual([
      { type: 'ping' },
      { type: 'ping' },
    ]);
  });

  it('counts each valid secret while they are changed', async () => {
    const payment = await paid('rotated');
    const event = paymentEvent(payment, world.tenants.alpha);
    expect((await deliver(world, event, { secret: secrets.older })).status).toBe(200);
    expect((await deliver(world, event, { secret: secrets.stripe })).status).toBe(200);
  });
});

describe('bad input', () => {
  const event = (changes = {}) => ({
    ...paymentEvent({ id: 'op', orderId: 'ord', paymentIntent: 'pi' }, 'nobody'),
    ...changes,
  });
  const minutes = (n: number) => Date.now() + n * 60_000;
  const many = Array.from({ length: 100 }, () => `v1=${'0'.repeat(64)}`).join(',');
  const signed = (body: string, at = Date.now()) =>
    Stripe.webhooks.generateTestHeaderString({
      payload: body,
      secret: secrets.stripe,
      timestamp: Math.floor(at / 1_000),
    });
  const signedOf = (sent: unknown) => signed(JSON.stringify(sent));

  it.each<[string, () => Promise<{ status: number; json: { code: string } }>, number, string]>([
    [
      'a signature by another secret',
      () => deliver(world, event(), { secret: 'whsec_of_somebody_else' }),
      401,
      'signature-invalid',
    ],
    [
      'the signature of another source',
      () => deliver(world, event(), { secret: secrets.live }),
      401,
      'signature-invalid',
    ],
    ['no signature', () => deliver(world, event(), { headers: { 'stripe-signature': '' } }), 401, 'signature-invalid'],
    ['an old signature', () => deliver(world, event(), { at: minutes(-6) }), 401, 'signature-invalid'],
    ['a signature of the future', () => deliver(world, event(), { at: minutes(6) }), 401, 'signature-invalid'],
    [
      'a hundred signatures, one of them valid',
      () => {
        const sent = event();
        return deliver(world, sent, { headers: { 'stripe-signature': `${signedOf(sent)},${many}` } });
      },
      401,
      'signature-invalid',
    ],
    ['a source that nobody has declared', () => deliver(world, event(), { source: 'nobody' }), 404, 'not-found'],
    ['an event of the live environment', () => deliver(world, event({ livemode: true })), 422, 'environment-mismatch'],
    [
      'a test event at the live source',
      () => deliver(world, event(), { source: 'stripe-live', secret: secrets.live }),
      422,
      'environment-mismatch',
    ],
    ['no environment', () => deliver(world, event({ livemode: undefined })), 400, 'request-invalid'],
    ['an id that is null', () => deliver(world, event({ id: null })), 400, 'request-invalid'],
    ['an id with a NUL', () => deliver(world, event({ id: 'evt_\0' })), 400, 'request-invalid'],
    ['an id of 256 characters', () => deliver(world, event({ id: 'e'.repeat(256) })), 400, 'request-invalid'],
    ['no type', () => deliver(world, event({ type: 7 })), 400, 'request-invalid'],
    ['JSON that is none', () => deliver(world, '{"id": "evt_1",'), 400, 'body-malformed'],
    ['a JSON array', () => deliver(world, '[]'), 400, 'request-invalid'],
    [
      'two times, the last of the future',
      () => {
        const sent = JSON.stringify(event());
        const header = `t=${Math.floor(Date.now() / 1_000)},${signed(sent, minutes(500_000))}`;
        return deliver(world, sent, { headers: { 'stripe-signature': header } });
      },
      401,
      'signature-invalid',
    ],
    ['a byte order mark', () => deliver(world, `\ufeff${JSON.stringify(event())}`), 400, 'body-malformed'],
    [
      'a mark before bytes that were signed without it',
      () => {
        const sent = JSON.stringify(event());
        return deliver(world, `\ufeff${sent}`, { headers: { 'stripe-signature': signed(sent) } });
      },
      400,
      'body-malformed',
    ],
    [
      'packed bytes',
      () => deliver(world, event(), { headers: { 'content-encoding': 'gzip' } }),
      415,
      'media-type-unsupported',
    ],
    ['a megabyte', () => deliver(world, event({ data: 'x'.repeat(1024 ** 2) })), 413, 'body-too-large'],
    [
      'no id by Standard Webhooks',
      () => world.ask('POST', '/v1/webhooks/standard', { token: null, body: {} }),
      401,
      'signature-invalid',
    ],
    [
      'an old time by Standard Webhooks',
      () => deliverStandard(world, 'old', {}, new Date(minutes(-6))),
      401,
      'signature-invalid',
    ],
    [
      'a time of the future by Standard Webhooks',
      () => deliverStandard(world, 'new', {}, new Date(minutes(6))),
      401,
      'signature-invalid',
    ],
  ])('%s is a problem, and nothing is recorded', async (_name, send, status, code) => {
    const before = await recorded();
    const answer = await send();
    expect([answer.status, answer.json.code]).toEqual([status, code]);
    expect(await recorded()).toBe(before);
  });

  it('is refused as too large with a thousand signatures', async () => {
    const before = await recorded();
    const signatures = `t=1,${many.repeat(10)}`;
    expect((await deliver(world, event(), { headers: { 'stripe-signature': signatures } })).status).toBe(431);
    expect(await recorded()).toBe(before);
  });

  it('is refused where a header comes twice', async () => {
    const before = await recorded();
    const body = JSON.stringify(event());
    const { hostname, port } = new URL(world.doors[0]?.address ?? '');
    const sent = request({ hostname, port, path: '/v1/webhooks/stripe', method: 'POST' });
    sent.setHeader('stripe-signature', [signed(body), signed(body)]);
    const status = new Promise((resolve) => sent.once('response', (answer) => resolve(answer.resume().statusCode)));
    sent.end(body);
    expect(await status).toBe(401);
    expect(await recorded()).toBe(before);
  });

  it('is not what Stripe calls a thin event: that one is recorded', async () => {
    const thin = { ...event(), object: 'v2.core.event', related_object: { id: 'pi_thin' }, data: {} };
    expect((await deliver(world, thin)).status).toBe(200);
    const [row] = await world.sql('select object from hapax.inbox_event where event = $1', thin.id);
    expect(row).toEqual({ object: 'pi_thin' });
  });

  it('is counted as an attempt, by source and reason', async () => {
    const metrics = await Promise.all(
      world.doors.map(({ address }) => fetch(`${address}/metrics`).then((all) => all.text())),
    );
    expect(metrics.join('\n')).toMatch(
      /hapax_event_deliveries_total\{source="stripe",became="signature-invalid"\} [1-9]/,
    );
    expect(metrics.join('\n')).toMatch(/hapax_event_deliveries_total\{source="stripe",became="body-too-large"\} [1-9]/);
    expect(metrics.join('\n')).toMatch(/hapax_event_deliveries_total\{source="unknown",became="not-found"\} [1-9]/);
  });
});

describe('an event that cannot be handled', () => {
  const letters = (query = '', token = 'operator-alpha') => world.ask('GET', `/v1/dead-letters${query}`, { token });
  const replay = (id: unknown, token = 'operator-alpha') =>
    world.ask('POST', `/v1/dead-letters/${String(id)}/replay`, { token });
  /** As if it had been tried for a day already. */
  const aDayLater = (event: { readonly id: string }) =>
    world.sql(
      `update hapax.inbox_handling h set due_since = now() - interval '25 hours', next_at = now()
       from hapax.inbox_event e where e.id = h.event_id and e.event = $1`,
      event.id,
    );

  it('because nobody knows its object is parked, looked at again, and acted on once the object is there', async () => {
    const payment = await paid('unknown');
    const hidden = `ord_${'0'.repeat(26)}`;
    const event = paymentEvent({ ...payment, orderId: hidden }, world.tenants.alpha);
    await deliver(world, event);
    const letter = await world.until('it is parked', async () => {
      const { json } = await letters('?state=parked&handler=ship');
      return (json.deadLetters as { event: string }[]).find((one) => one.event === event.id);
    });
    expect(letter).toMatchObject({
      ...{ state: 'parked', source: 'stripe', event: event.id, type: event.type, object: payment.paymentIntent },
      ...{ code: 'object-unknown', detail: `There is no order ${hidden}.`, nextAt: expect.any(String) },
    });
    await world.sql(
      `insert into hapax.customer_order (id, tenant, environment, operation_id, cart_id, state, amount_minor, currency, payment_intent, paid_at)
      select $1, tenant, environment, 'op_other', 'cart-other', state, amount_minor, currency, payment_intent, paid_at
      from hapax.customer_order where id = $2`,
      hidden,
      payment.orderId,
    );
    await handled(event);
    expect(await effects({ orderId: hidden })).toEqual(once);
  });

  it('because its handler fails is tried again with growing pauses, then a dead letter, and is replayed under the same ids', async () => {
    const payment = await paid('failing');
    const event = paymentEvent(payment, world.tenants.alpha);
    await world.sql('alter table hapax.shipment add constraint nothing_is_sent check (false) not valid');
    await deliver(world, event);
    await world.until(
      'it was tried three times',
      async () => Number((await handlings(event)).find(({ handler }) => handler === 'ship')?.tries) >= 3,
    );
    // The other handler does not wait for it.
    expect(await effects(payment)).toEqual({ shipments: 0, credits: 1 });
    await aDayLater(event);
    const dead = await world.until('it is dead', async () =>
      (await handlings(event)).find(({ state }) => state === 'dead'),
    );
    expect(dead).toMatchObject({
      handler: 'ship',
      code: 'handler-failed',
      detail: expect.stringContaining('nothing_is_sent'),
    });
    expect((await letters('?state=dead')).json.deadLetters.map(({ id }: { id: string }) => id)).toContain(dead.id);
    // Nobody else sees it, and a caller or a viewer does not replay it.
    expect((await letters('', 'operator-beta')).json.deadLetters).toEqual([]);
    expect((await letters('', 'operator-live-alpha')).json.deadLetters).toEqual([]);
    const strangers = ['operator-beta', 'operator-live-alpha', 'local-alpha'];
    expect(await Promise.all(strangers.map(async (who) => (await replay(dead.id, who)).status))).toEqual([
      404, 404, 403,
    ]);
    await pause(1_200);
    expect(await effects(payment)).toEqual({ shipments: 0, credits: 1 });
    await world.sql('alter table hapax.shipment drop constraint nothing_is_sent');
    expect((await replay(dead.id)).status).toBe(202);
    await handled(event);
    expect(await effects(payment)).toEqual(once);
    const [, ship] = await handlings(event);
    expect(ship?.id).toBe(dead.id);
    expect((await replay(dead.id)).json.code).toBe('not-a-dead-letter');
    expect((await replay(`dl_${'0'.repeat(26)}`)).status).toBe(404);
  });

  it('is found by pages', async () => {
    for (let n = 0; n < 3; n += 1) {
      const event = paymentEvent({ id: 'op', paymentIntent: `pi_${n}`, orderId: `ord_${n}` }, world.tenants.alpha);
      await deliver(world, event);
    }
    // What is tried again moves to the front; what is dead stays where it is.
    await world.until('six are dead', async () => {
      await world.sql(`update hapax.inbox_handling set state = 'dead' where state = 'parked'`);
      return (await letters('?state=dead')).json.deadLetters.length >= 6;
    });
    const all = (await letters('?state=dead&limit=200')).json.deadLetters.map(({ id }: { id: string }) => id);
    const seen: string[] = [];
    for (let next: string | undefined = ''; next !== undefined; ) {
      const { json } = await letters(`?state=dead&limit=2${next === '' ? '' : `&after=${next}`}`);
      seen.push(...json.deadLetters.map(({ id }: { id: string }) => id));
      next = json.next as string | undefined;
    }
    expect(seen).toEqual(all);
    for (const bad of ['?state=done', '?limit=0', '?after=x', '?what=1']) expect((await letters(bad)).status).toBe(400);
  });
});
