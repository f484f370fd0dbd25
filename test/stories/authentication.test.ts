import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { operationId } from '../../workflows/operation/key.ts';
import { deliver, paymentEvent } from '../support/event-sender.ts';
import { secrets } from '../support/event-sources.ts';
import { checkoutScope } from '../support/lane.ts';
import { heldRequest, plan } from '../support/provider-faults.ts';
import { type Answered, World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.create(inject('ground'));
});
afterAll(() => world.close());

const asking = { paymentMethod: 'pm_card_threeDSecure2Required' };
const tellTheDoor = (plan: readonly unknown[] = []) =>
  world.sandboxControl('POST', 'webhooks', {
    url: `${world.doors[0]?.address}/v1/webhooks/stripe`,
    secret: secrets.stripe,
    plan,
  });

/** A checkout whose card asks for its buyer. */
async function asked(key: string, changes: Record<string, unknown> = {}): Promise<Answered> {
  const answer = await world.checkout(key, { ...asking, ...changes });
  expect([answer.status, answer.json]).toMatchObject([
    202,
    { state: 'waiting', awaits: 'authenticate', nextAction: { type: 'redirect', url: expect.any(String) } },
  ]);
  return answer;
}

/** What the buyer does at the bank's page. */
async function atTheBank(url: string, outcome: 'complete' | 'fail'): Promise<Response> {
  return await fetch(url, { method: 'POST', body: new URLSearchParams({ outcome }), redirect: 'manual' });
}
const types = async (id: string) => (await world.audit({ operation: id })).map(({ type }) => type);
const order = async (id: string) =>
  (await world.sql('select state from hapax.customer_order where operation_id = $1', id))[0]?.state;
const ended = (id: string) =>
  world.until(
    `${id} has ended`,
    async () => !['waiting', 'running', 'compensating'].includes(await world.state(id)),
    30_000,
  );

describe('a checkout whose card asks for its buyer', () => {
  beforeAll(() => tellTheDoor());

  it('tells at once where the buyer confirms, and is paid when the bank says so', async () => {
    const { json } = await asked('confirmed', { returnUrl: 'https://shop.example/back?cart=1' });
    const page = await fetch(json.nextAction.url);
    expect(await page.text()).toMatch(/value="complete".*value="fail"/s);
    // Asked again with the same key, or looked at, it says the same.
    const again = await asked('confirmed', { returnUrl: 'https://shop.example/back?cart=1' });
    expect(again.json).toMatchObject({ id: json.id, nextAction: json.nextAction });
    const looked = await world.ask('GET', `/v1/operations/${json.id}`);
    expect(looked.json).toMatchObject({ state: 'waiting', nextAction: json.nextAction });
    const back = await atTheBank(json.nextAction.url, 'complete');
    expect([back.status, back.headers.get('location')]).toEqual([
      303,
      expect.stringMatching(/^https:\/\/shop\.example\/back\?cart=1&payment_intent=pi_\w+&redirect_status=succeeded$/),
    ]);
    await ended(json.id);
    const paid = await world.checkout('confirmed', { ...asking, returnUrl: 'https://shop.example/back?cart=1' });
    expect([paid.status, paid.json.state]).toEqual([201, 'succeeded']);
    expect(await types(json.id)).toEqual([
      'payment_intent.created',
      'payment_intent.requires_action',
      'payment_intent.confirmed',
      'payment_intent.captured',
    ]);
    expect(await order(json.id)).toBe('paid');
  });

  it('is refused, and gives all back, when the buyer does not confirm', async () => {
    const { json } = await asked('not confirmed');
    await atTheBank(json.nextAction.url, 'fail');
    await ended(json.id);
    const refused = await world.checkout('not confirmed', asking);
    expect([refused.status, refused.json.undone]).toEqual([402, ['openPayment', 'reserve']]);
    expect(await types(json.id)).not.toContain('payment_intent.captured');
    expect(await order(json.id)).toBe('released');
    // The bank is not asked twice.
    expect((await atTheBank(json.nextAction.url, 'complete')).status).toBe(303);
    expect(await types(json.id)).not.toContain('payment_intent.confirmed');
  });

  it('keeps no secret of the buyer’s', async () => {
    const { json } = await asked('secret');
    const [, secret = ''] = /client_secret=([^&]+)/.exec(json.nextAction.url) ?? [];
    expect(secret.length).toBeGreaterThan(20);
    const rows = await world.sql(
      `select 1 from hapax.step where request::text like $1 or result::text like $1
       union all select 1 from hapax.operation where answer_body::text like $1 or request::text like $1`,
      `%${secret}%`,
    );
    expect(rows).toEqual([]);
    const told = await world.until('the bank’s question was told', async () => {
      const events = await world.sql<{ body: Buffer }>(
        `select body from hapax.inbox_event where type = 'payment_intent.requires_action' and object = (
           select result ->> 'paymentIntent' from hapax.step where operation_id = $1 and name = 'openPayment')`,
        json.id,
      );
      return events.length > 0 && events;
    });
    for (const { body } of told) expect(body.toString()).not.toContain(secret);
    await atTheBank(json.nextAction.url, 'complete');
    await ended(json.id);
  });

  it('goes back to a page of ours where the shop names none, which says nothing of the payment', async () => {
    const { json } = await asked('no page');
    const back = await atTheBank(json.nextAction.url, 'complete');
    expect(new URL(back.headers.get('location') ?? '').pathname).toBe('/returned');
    const page = await world.ask('GET', '/returned', { token: null });
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    await ended(json.id);
  });

  it('is cancelled at the provider before its items are free, when its owner cancels it', async () => {
    const { json } = await asked('cancelled');
    expect((await world.ask('POST', `/v1/operations/${json.id}/cancel`)).status).toBe(202);
    await ended(json.id);
    expect((await types(json.id)).at(-1)).toBe('payment_intent.canceled');
    expect([await world.state(json.id), await order(json.id)]).toEqual(['cancelled', 'released']);
    await atTheBank(json.nextAction.url, 'complete');
    expect(await types(json.id)).not.toContain('payment_intent.confirmed');
  });

  it('is not held to be answered by an event of another payment with the same metadata', async () => {
    const { json } = await asked('of another');
    const event = paymentEvent({ id: json.id, orderId: 'ord_any', paymentIntent: 'pi_other' }, world.tenants.alpha, {
      type: 'payment_intent.canceled',
    });
    await deliver(world, event);
    await world.until('it is handled', async () => {
      const rows = await world.sql(
        `select h.state from hapax.inbox_handling h join hapax.inbox_event e on e.id = h.event_id where e.event = $1`,
        event.id,
      );
      return rows.length > 0 && rows.every(({ state }) => state === 'done');
    });
    const again = await world.checkout('of another', asking);
    expect([again.status, again.json.awaits, again.json.nextAction]).toEqual([202, 'authenticate', json.nextAction]);
    await atTheBank(json.nextAction.url, 'complete');
    await ended(json.id);
    expect(await world.state(json.id)).toBe('succeeded');
  });

  it('is not ended in advance by an event that comes before the payment is known', async () => {
    const id = operationId(checkoutScope(world, 'in advance'), 1);
    await plan(world, id, 'openPayment', { fault: 'hold_before', times: 1 });
    const first = world.checkout('in advance', asking);
    const release = await heldRequest(world, id);
    const event = paymentEvent({ id, orderId: 'ord_any', paymentIntent: 'pi_other' }, world.tenants.alpha, {
      type: 'payment_intent.canceled',
    });
    await deliver(world, event);
    const handled = async () =>
      (
        await world.sql(
          `select h.state, h.tries from hapax.inbox_handling h join hapax.inbox_event e on e.id = h.event_id where e.event = $1`,
          event.id,
        )
      )[0];
    await world.until('it was looked at', async () => (await handled())?.state === 'parked');
    await release();
    const { json } = await first;
    expect(json).toMatchObject({ awaits: 'authenticate', nextAction: { type: 'redirect' } });
    await world.until('it is known to be of another payment', async () => (await handled())?.state === 'done');
    const again = await world.checkout('in advance', asking);
    expect(again.json.nextAction).toEqual(json.nextAction);
    await atTheBank(json.nextAction.url, 'complete');
    await ended(json.id);
    expect(await world.state(json.id)).toBe('succeeded');
  });

  it.each(['expired', 'cancelled'])(
    'that has %s hears of its own cancellation, and nothing is left to look at',
    async (how) => {
      const { json } = await asked(`hears of itself ${how}`);
      if (how === 'cancelled') await world.ask('POST', `/v1/operations/${json.id}/cancel`);
      else await world.sql(`update hapax.operation set deadline = now() where id = $1`, json.id);
      await ended(json.id);
      expect(await world.state(json.id)).toBe(how);
      const [told] = await world.until('its cancellation is told and handled', async () => {
        const rows = await world.sql(
          `select h.state, h.operation_id, h.tries from hapax.inbox_handling h join hapax.inbox_event e on e.id = h.event_id
         where e.type = 'payment_intent.canceled' and h.state = 'done' and e.object = (
           select result ->> 'paymentIntent' from hapax.step where operation_id = $1 and name = 'openPayment')`,
          json.id,
        );
        return rows.length > 0 && rows;
      });
      expect(told).toEqual({ state: 'done', operation_id: json.id, tries: 1 });
      expect(await world.sql('select 1 from hapax.stray where operation_id = $1', json.id)).toEqual([]);
      expect(await world.sql('select sweep_at from hapax.operation where id = $1', json.id)).toEqual([
        { sweep_at: null },
      ]);
    },
  );

  it('told of a cart that is being paid says so, also where its price has changed since', async () => {
    const { json } = await asked('price and cart');
    const other = await world.checkout('price and cart 2', {
      cartId: 'cart-price and cart',
      expected: { minor: 1, currency: 'eur' },
    });
    expect([other.status, other.json.code]).toEqual([409, 'cart-in-progress']);
    await world.ask('POST', `/v1/operations/${json.id}/cancel`);
    await ended(json.id);
  });

  it.each([
    ...['https://', 'javascript:alert(1)', 'ftp://shop.example'],
    ...['https://shop.example/a b', 'https://user:pw@shop.example/', 'https://shop.example\n'],
  ])('takes no %j to return to', async (returnUrl) => {
    const { status, json } = await world.checkout(`back to ${returnUrl}`, { returnUrl });
    expect([status, json.code]).toEqual([400, 'request-invalid']);
  });

  it('is not held up by events where no card asks', async () => {
    await tellTheDoor([{ type: 'payment_intent.amount_capturable_updated', do: 'early' }]);
    const paid = await world.checkout('nobody asks');
    expect(paid.status).toBe(201);
    await world.until('its events are handled', async () => {
      const left = await world.sql(`select 1 from hapax.inbox_handling where state <> 'done'`);
      return left.length === 0;
    });
    expect(await world.sql('select 1 from hapax.stray where operation_id = $1', paid.json.id)).toEqual([]);
  });
});

describe('a buyer of whom no event tells', () => {
  beforeAll(() => world.sandboxControl('DELETE', 'webhooks'));

  it('who asks again has the bank asked at once, and all who ask share one question', async () => {
    const { json } = await asked('asks again');
    await atTheBank(json.nextAction.url, 'complete');
    const questions = async () =>
      ((await (await fetch(`${world.sandbox.address}/_requests`)).json()) as { method: string; path: string }[]).filter(
        ({ method, path }) => method === 'GET' && path.startsWith('/v1/payment_intents/'),
      ).length;
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const [before, since] = [await questions(), Date.now()];
    await Promise.all(Array.from({ length: 8 }, () => world.ask('GET', `/v1/operations/${json.id}`)));
    const took = Math.floor((Date.now() - since) / 1_000);
    // One of the callers in each second, and the step that reads how the bank has decided.
    expect((await questions()) - before).toBeLessThanOrEqual(2 + took);
    // What they have found out stands there: the story itself looks each ten seconds.
    const [found] = await world.sql(
      `select outcome from hapax.awaited where operation_id = $1 and step = 'authenticate'`,
      json.id,
    );
    expect(found).toEqual({ outcome: 'arrived' });
    await ended(json.id);
    expect(await world.state(json.id)).toBe('succeeded');
  });

  it('is found at the bank within seconds', async () => {
    const { json } = await asked('looked for');
    await atTheBank(json.nextAction.url, 'complete');
    await ended(json.id);
    expect(await world.state(json.id)).toBe('succeeded');
    expect(await order(json.id)).toBe('paid');
  });

  it('who has left is given up when the time is over: the provider first, then the items', async () => {
    const { json } = await asked('left');
    await world.sql(`update hapax.operation set deadline = now() where id = $1`, json.id);
    await ended(json.id);
    const expired = await world.checkout('left', asking);
    expect([expired.status, expired.json.code]).toEqual([410, 'expired']);
    expect((await types(json.id)).at(-1)).toBe('payment_intent.canceled');
    expect(await order(json.id)).toBe('released');
  });

  it('who confirms in the last moment has paid, and is not told otherwise', async () => {
    const { json } = await asked('last moment');
    await atTheBank(json.nextAction.url, 'complete');
    await world.sql(`update hapax.operation set deadline = now() where id = $1`, json.id);
    await ended(json.id);
    expect([await world.state(json.id), await order(json.id)]).toEqual(['succeeded', 'paid']);
  });
});
