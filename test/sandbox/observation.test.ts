import Stripe from 'stripe';
import { expect, test } from 'vitest';
import type { Logged } from '../../workers/sandbox/request-log.ts';
import { authorise, refusalOf, startProvider, visa } from './provider.ts';

test('tells every effect with who caused it and when', async () => {
  const { stripe, effects } = await startProvider();
  const created = await stripe.paymentIntents.create(
    { ...authorise, metadata: { operation: 'op1' } },
    { idempotencyKey: 'a' },
  );
  expect(await effects()).toEqual(
    ['payment_intent.created', 'payment_intent.confirmed'].map((type) => ({
      type,
      amount: 4500,
      currency: 'eur',
      operation: 'op1',
      idempotencyKey: 'a',
      requestId: created.lastResponse.requestId,
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      metadata: { operation: 'op1' },
      object: created.id,
      paymentIntent: created.id,
    })),
  );
});

test('tells what a cancellation released', async () => {
  const { stripe, effects } = await startProvider();
  for (const [key, parameters] of [
    ['held', authorise],
    ['unconfirmed', visa],
  ] as const) {
    const { id } = await stripe.paymentIntents.create(
      { ...parameters, metadata: { operation: key } },
      { idempotencyKey: key },
    );
    await stripe.paymentIntents.cancel(id, {}, { idempotencyKey: `cancel ${key}` });
  }
  expect(await effects('?type=payment_intent.canceled')).toMatchObject([
    { operation: 'held', amount: 4500 },
    { operation: 'unconfirmed', amount: 0 },
  ]);
});

test('filters the effects by operation, type, PaymentIntent and key', async () => {
  const { stripe, effects } = await startProvider();
  const a = await stripe.paymentIntents.create({ ...visa, metadata: { operation: 'op1' } }, { idempotencyKey: 'a' });
  await stripe.paymentIntents.create(authorise, { idempotencyKey: 'b' });
  expect(await effects()).toHaveLength(3);
  expect(await effects('?operation=op1')).toHaveLength(1);
  expect(await effects('?type=payment_intent.created')).toHaveLength(2);
  expect(await effects(`?payment_intent=${a.id}`)).toHaveLength(1);
  expect(await effects('?key=b')).toHaveLength(2);
  expect(await effects('?operation=op1&key=b')).toEqual([]);
});

test("lists the requests that came without a key of the caller's own", async () => {
  const { stripe, get, url } = await startProvider();
  const { hostname, port } = new URL(url);
  const careless = new Stripe('sk_test_x', {
    host: hostname,
    port: Number(port),
    protocol: 'http',
    maxNetworkRetries: 1,
    telemetry: false,
  });

  const { lastResponse } = await careless.paymentIntents.create(visa);
  await stripe.paymentIntents.create(visa, { idempotencyKey: 'mine' });
  await fetch(`${url}/v1/payment_intents/pi_nobody/cancel`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk_test_x' },
  });
  await stripe.paymentIntents.list();
  expect(await get('/_violations')).toEqual([
    {
      method: 'POST',
      path: '/v1/payment_intents',
      key: expect.stringMatching(/^stripe-node-retry-/),
      requestId: lastResponse.requestId,
      at: expect.any(String),
    },
    expect.objectContaining({ path: '/v1/payment_intents/pi_nobody/cancel', key: null }),
  ]);
});

test('counts what was sent, with the answer and whether it was a replay', async () => {
  const { stripe, get, post } = await startProvider();
  const declined = { ...authorise, payment_method: 'pm_card_chargeDeclined', metadata: { operation: 'op1' } };
  await refusalOf(stripe.paymentIntents.create(declined, { idempotencyKey: 'a' }));
  await refusalOf(stripe.paymentIntents.create(declined, { idempotencyKey: 'a' }));
  // Twice: stripe-node itself repeats once what met a closed connection.
  await post('/_control/faults', { fault: 'drop_before', times: 2 });
  await refusalOf(stripe.paymentIntents.create(visa, { idempotencyKey: 'b' }));

  const request = { method: 'POST', path: '/v1/payment_intents' };
  expect(await get<Logged[]>('/_requests?key=a')).toMatchObject([
    { ...request, key: 'a', operation: 'op1', status: 402, replayed: false, fault: null },
    { ...request, key: 'a', operation: 'op1', status: 402, replayed: true, fault: null },
  ]);
  const dropped = { ...request, status: null, fault: 'drop_before' };
  expect(await get<Logged[]>('/_requests?key=b')).toMatchObject([dropped, dropped]);
});

test('keeps the newest 5,000 requests', async () => {
  const { RequestLog } = await import('../../workers/sandbox/request-log.ts');
  const log = new RequestLog();
  const request = {
    at: '',
    method: 'GET',
    path: '/',
    key: null,
    operation: null,
    status: 200,
    replayed: false,
    fault: null,
  };
  for (let i = 0; i < 5_010; i++) log.add({ ...request, requestId: `req_${i}` }, true);
  const kept = log.requests(new URLSearchParams());
  expect(kept).toHaveLength(5_000);
  expect(kept[0]?.requestId).toBe('req_10');
});

test('says that it is well, and 404 to what it does not know', async () => {
  const { get } = await startProvider();
  expect(await get('/healthz')).toEqual({ status: 'ok' });
  await expect(get('/_control/nothing')).rejects.toThrow('404');
  await expect(get('/v1/charges')).rejects.toThrow('401');
});
