import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import Stripe from 'stripe';
import { expect, onTestFinished, test, vi } from 'vitest';
import { authorise, providerAt, startProvider, temporaryDirectory, type TestProvider } from './provider.ts';
import type { Sandbox } from '../../workers/sandbox/call.ts';
import { startSandbox } from '../../workers/sandbox/sandbox.ts';
import { tellEvents } from '../../workers/sandbox/tell-events.ts';

const secret = 'whsec_of_a_test';

type Told = { readonly event: Stripe.Event; readonly signature: string; readonly answered: number };

/** Who listens: answers as it is told, and keeps what came. */
async function endpoint(answers: (n: number) => number = () => 200) {
  const told: Told[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const signature = String(request.headers['stripe-signature']);
      const event = Stripe.webhooks.constructEvent(Buffer.concat(chunks), signature, secret);
      const answered = answers(told.length);
      told.push({ event, signature, answered });
      response.writeHead(answered).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, told };
}

const types = (told: readonly Told[]) => told.map(({ event }) => event.type);
const pay = ({ stripe }: TestProvider, key: string) => stripe.paymentIntents.create(authorise, { idempotencyKey: key });
const settled = (told: readonly Told[], count: number) =>
  vi.waitFor(() => expect(told).toHaveLength(count), { timeout: 30_000, interval: 10 });

test('tells what happens, signed as Stripe signs, and the same event by its API', async () => {
  const provider = await startProvider();
  const { url, told } = await endpoint();
  await provider.post('/_control/webhooks', { url, secret });
  const { id } = await pay(provider, 'a');
  await provider.stripe.paymentIntents.capture(id, {}, { idempotencyKey: 'b' });
  await provider.stripe.refunds.create({ payment_intent: id }, { idempotencyKey: 'c' });
  await settled(told, 5);
  expect(types(told).toSorted()).toEqual([
    'charge.updated',
    'payment_intent.amount_capturable_updated',
    'payment_intent.created',
    'payment_intent.succeeded',
    'refund.created',
  ]);
  const paid = told.find(({ event }) => event.type === 'payment_intent.succeeded')?.event as Stripe.Event;
  expect(paid).toMatchObject({
    livemode: false,
    data: { object: { id, status: 'succeeded' } },
    request: { idempotency_key: 'b' },
  });
  expect(await provider.stripe.events.retrieve(paid.id)).toMatchObject({
    id: paid.id,
    type: paid.type,
    data: paid.data,
  });
  const listed = await provider.stripe.events.list({ type: 'payment_intent.succeeded' });
  expect(listed.data.map((event) => event.id)).toEqual([paid.id]);
});

test('tells of a captured charge, as it was then, once its fee is known', async () => {
  const data = await temporaryDirectory();
  const { stripe } = await startProvider({ data });
  const metadata = { tenant: 'alpha' };
  const { id, latest_charge } = await stripe.paymentIntents.create({ ...authorise, metadata }, { idempotencyKey: 'a' });
  expect((await stripe.events.list({ type: 'charge.updated' })).data).toEqual([]);
  await stripe.paymentIntents.capture(id, { amount_to_capture: 4000 }, { idempotencyKey: 'b' });
  const [moved] = (await stripe.balanceTransactions.list()).data;
  await stripe.refunds.create({ payment_intent: id, amount: 300 }, { idempotencyKey: 'c' });
  const { data: events } = await stripe.events.list();
  expect(events.map(({ type }) => type).slice(0, 3)).toEqual([
    'refund.created',
    'charge.updated',
    'payment_intent.succeeded',
  ]);
  const [, updated, succeeded] = events;
  expect(updated?.id).not.toBe(succeeded?.id);
  expect(updated).toMatchObject({
    request: { idempotency_key: 'b' },
    data: {
      object: {
        ...{ id: latest_charge, object: 'charge', payment_intent: id, balance_transaction: moved?.id, metadata },
        ...{ captured: true, amount: 4500, amount_captured: 4000, amount_refunded: 0, refunded: false },
      },
      previous_attributes: { balance_transaction: null },
    },
  });
  // Its journal is enough to say the same again.
  const again = await startProvider({ data });
  expect((await again.stripe.events.list()).data).toEqual(events);
});

test('tells of a charge that is captured as it is confirmed, and of none that is cancelled or declined', async () => {
  const { stripe } = await startProvider();
  const create = (key: string, changes: Partial<Stripe.PaymentIntentCreateParams>) =>
    stripe.paymentIntents.create({ ...authorise, ...changes }, { idempotencyKey: key });
  const { id } = await create('cancelled', {});
  await stripe.paymentIntents.cancel(id, {}, { idempotencyKey: 'cancel' });
  await expect(create('declined', { payment_method: 'pm_card_chargeDeclined' })).rejects.toThrow();
  const charged = await create('at once', { capture_method: 'automatic' });
  const { data } = await stripe.events.list({ type: 'charge.updated' });
  expect(data).toMatchObject([{ data: { object: { payment_intent: charged.id } } }]);
});

test('repeats with pauses, by its own clock and for three days, each time with a signature of its own', async () => {
  const provider = await startProvider();
  const { url, told } = await endpoint(() => 500);
  await provider.post('/_control/webhooks', { url, secret, plan: [{ type: 'payment_intent.created', do: 'lose' }] });
  await pay(provider, 'a');
  type Delivery = { state: string; due?: string; attempts: { at: string }[] };
  const after = (count: number) =>
    vi.waitFor(
      async () => {
        const { deliveries } = await provider.get<{ deliveries: [Delivery, Delivery] }>('/_control/webhooks');
        const [lost, repeated] = deliveries;
        expect([lost.state, lost.attempts.length, repeated.attempts.length]).toEqual(['lost', 0, count]);
        return repeated;
      },
      { timeout: 30_000, interval: 10 },
    );
  for (let attempt = 1; attempt <= 10; attempt += 1) {
    const { due = '' } = await after(attempt);
    await provider.post('/_control/settings', { clockOffsetMs: Date.parse(due) - Date.now() });
  }
  const { state, attempts } = await after(11);
  const times = attempts.map(({ at }) => Date.parse(at) / 3_600_000);
  const hours = (times.at(-1) ?? 0) - (times[0] ?? 0);
  expect(hours).toBeGreaterThan(70);
  expect(hours).toBeLessThan(75);
  await provider.post('/_control/settings', { clockOffsetMs: 200 * 3_600_000 });
  expect([state, told.length]).toEqual(['given_up', 11]);
  expect(new Set(told.map(({ event }) => event.id)).size).toBe(1);
});

test('duplicates, delays, loses, reorders and tells early as it is planned', async () => {
  const provider = await startProvider();
  const { url, told } = await endpoint();
  await provider.post('/_control/webhooks', {
    url,
    secret,
    plan: [
      { type: 'payment_intent.created', do: 'lose' },
      { type: 'payment_intent.amount', do: 'early' },
      { type: 'payment_intent.succeeded', times: 1, do: 'reorder' },
      { type: 'charge.updated', do: 'lose' },
      { type: 'refund', do: 'duplicate', copies: 2 },
    ],
  });
  const { id } = await pay(provider, 'a');
  // It was told before the call was answered.
  expect(types(told)).toEqual(['payment_intent.amount_capturable_updated']);
  await provider.stripe.paymentIntents.capture(id, {}, { idempotencyKey: 'b' });
  await provider.stripe.refunds.create({ payment_intent: id }, { idempotencyKey: 'c' });
  await settled(told, 5);
  expect(types(told)).toContain('payment_intent.succeeded');
  expect(types(told).indexOf('payment_intent.succeeded')).toBeGreaterThan(types(told).indexOf('refund.created'));
  expect(types(told).filter((type) => type === 'refund.created')).toHaveLength(3);
  const lost = (await provider.stripe.events.list({ type: 'payment_intent.created' })).data[0] as Stripe.Event;
  await provider.post(`/_control/webhooks/${lost.id}/resend`);
  await settled(told, 6);
  expect(told.at(-1)?.event.id).toBe(lost.id);
});

test('does the same with the second event of a capture, apart from the first', async () => {
  const provider = await startProvider();
  const { url, told } = await endpoint();
  const paidUnder = async (rule: object, count: number) => {
    told.length = 0;
    const lost = ['payment_intent.created', 'payment_intent.amount'].map((type) => ({ type, do: 'lose' }));
    await provider.post('/_control/webhooks', { url, secret, plan: [...lost, { type: 'charge.updated', ...rule }] });
    const { id } = await pay(provider, `${JSON.stringify(rule)} a`);
    await provider.stripe.paymentIntents.capture(id, {}, { idempotencyKey: `${JSON.stringify(rule)} b` });
    const [atOnce] = types(told);
    await provider.stripe.refunds.create({ payment_intent: id }, { idempotencyKey: `${JSON.stringify(rule)} c` });
    await settled(told, count);
    return { atOnce, order: types(told) };
  };
  expect((await paidUnder({ do: 'early' }, 3)).atOnce).toBe('charge.updated');
  expect((await paidUnder({ do: 'duplicate' }, 4)).order.filter((type) => type === 'charge.updated')).toHaveLength(2);
  const hour = 3_600_000;
  expect((await paidUnder({ do: 'delay', delayMs: hour }, 2)).order).not.toContain('charge.updated');
  await provider.post('/_control/settings', { clockOffsetMs: hour });
  await settled(told, 3);
  expect(types(told)[2]).toBe('charge.updated');
  expect((await paidUnder({ do: 'reorder' }, 3)).order[0]).not.toBe('charge.updated');
  expect((await paidUnder({ do: 'lose' }, 2)).order).not.toContain('charge.updated');
});

test('tells nobody what a crash could still undo', async () => {
  const { promise: onTheDisk, resolve: written } = Promise.withResolvers<void>();
  const events = ['payment_intent.succeeded', 'charge.updated'];
  const told: string[] = [];
  const sandbox = {
    provider: { ledger: { events }, durable: () => onTheDisk },
    webhooks: { tell: async (all: readonly string[], until: number) => void told.push(...all.slice(0, until)) },
  };
  const telling = tellEvents(sandbox as unknown as Sandbox);
  events.push('refund.created');
  await setImmediate();
  expect(told).toEqual([]);
  written();
  await telling;
  // What came after is another write's.
  expect(told).toEqual(['payment_intent.succeeded', 'charge.updated']);
});

test('knows its endpoint, and makes the same events, after a restart', async () => {
  const data = await temporaryDirectory();
  const { url, told } = await endpoint();
  const before = await startSandbox({ data });
  const first = providerAt(before.url);
  await first.post('/_control/webhooks', { url, secret });
  await pay(first, 'a');
  await settled(told, 2);
  await before.close();
  const again = await startProvider({ data });
  const events = (await again.stripe.events.list()).data.map(({ id }) => id);
  expect(events.toSorted()).toEqual(told.map(({ event }) => event.id).toSorted());
  await pay(again, 'b');
  await settled(told, 4);
});

test('behaves as providers do that keep successes only, or no keys at all', async () => {
  const provider = await startProvider();
  const declined = { ...authorise, payment_method: 'pm_card_chargeDeclined' };
  const create = (key: string, parameters: Stripe.PaymentIntentCreateParams = authorise) =>
    provider.stripe.paymentIntents.create(parameters, { idempotencyKey: key });
  await provider.post('/_control/settings', { profile: 'only_2xx' });
  await expect(create('a', declined)).rejects.toThrow();
  expect((await create('a')).status).toBe('requires_capture');
  const { id } = await create('a');
  expect((await create('a')).id).toBe(id);
  await provider.post('/_control/settings', { profile: 'keyless' });
  expect((await create('a')).id).not.toBe(id);
});
