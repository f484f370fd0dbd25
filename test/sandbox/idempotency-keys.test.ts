import { expect, test } from 'vitest';
import { KeyStore } from '../../workers/sandbox/key-store.ts';
import { authorise, refusalOf, startProvider, visa } from './provider.ts';

const DAY = 24 * 60 * 60 * 1000;

test('gives the stored answer when the same key comes again, and nothing happens twice', async () => {
  const { stripe, effects } = await startProvider();
  const first = await stripe.paymentIntents.create(authorise, { idempotencyKey: 'a' });
  const again = await stripe.paymentIntents.create(authorise, { idempotencyKey: 'a' });

  expect(JSON.stringify(again)).toBe(JSON.stringify(first));
  expect(again.lastResponse.headers).toMatchObject({
    'idempotent-replayed': 'true',
    'original-request': first.lastResponse.requestId,
    'idempotency-key': 'a',
  });
  expect(again.lastResponse.requestId).not.toBe(first.lastResponse.requestId);
  expect(first.lastResponse.headers['idempotent-replayed']).toBeUndefined();
  expect((await effects()).map((effect) => effect.type)).toEqual([
    'payment_intent.created',
    'payment_intent.confirmed',
  ]);
});

test('replays the answer as it was, also when the object has changed since', async () => {
  const { stripe } = await startProvider();
  const { id } = await stripe.paymentIntents.create(authorise, { idempotencyKey: 'a' });
  await stripe.paymentIntents.capture(id, {}, { idempotencyKey: 'b' });
  expect((await stripe.paymentIntents.create(authorise, { idempotencyKey: 'a' })).status).toBe('requires_capture');
  expect((await stripe.paymentIntents.retrieve(id)).status).toBe('succeeded');
});

test('does not mind the order of the parameters', async () => {
  const { stripe } = await startProvider();
  const first = await stripe.paymentIntents.create({ amount: 4500, currency: 'eur' }, { idempotencyKey: 'a' });
  const again = await stripe.paymentIntents.create({ currency: 'eur', amount: 4500 }, { idempotencyKey: 'a' });
  expect(again.id).toBe(first.id);
});

test('refuses the same key with other parameters', async () => {
  const { stripe, effects } = await startProvider();
  await stripe.paymentIntents.create(visa, { idempotencyKey: 'a' });
  const refusal = await refusalOf(stripe.paymentIntents.create({ ...visa, amount: 4501 }, { idempotencyKey: 'a' }));
  expect(refusal).toMatchObject({ statusCode: 400, rawType: 'idempotency_error', type: 'StripeIdempotencyError' });
  expect(refusal.message).toContain('same parameters');
  expect(await effects()).toHaveLength(1);
});

test('refuses the same key at another path', async () => {
  const { stripe } = await startProvider();
  const { id } = await stripe.paymentIntents.create(authorise, { idempotencyKey: 'a' });
  await stripe.paymentIntents.capture(id, {}, { idempotencyKey: 'b' });
  const refusal = await refusalOf(stripe.paymentIntents.cancel(id, {}, { idempotencyKey: 'b' }));
  expect(refusal).toMatchObject({ statusCode: 400, rawType: 'idempotency_error' });
});

test('answers 409 while the first request with the key executes, and replays once it is done', async () => {
  const { stripe, post, get } = await startProvider();
  await post('/_control/faults', { fault: 'hold_before' });
  const first = stripe.paymentIntents.create(visa, { idempotencyKey: 'a' });
  await expect.poll(async () => (await get<{ held: unknown[] }>('/_control/faults')).held.length).toBe(1);

  const refusal = await refusalOf(stripe.paymentIntents.create(visa, { idempotencyKey: 'a' }));
  expect(refusal).toMatchObject({ statusCode: 409, rawType: 'idempotency_error', code: 'idempotency_key_in_use' });

  await post('/_control/release', {});
  const { id } = await first;
  expect((await stripe.paymentIntents.create(visa, { idempotencyKey: 'a' })).id).toBe(id);
});

test('gives a hundred concurrent requests with one key one effect', async () => {
  const { stripe, effects } = await startProvider();
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => stripe.paymentIntents.create(authorise, { idempotencyKey: 'a' })),
  );
  expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
  expect(await effects('?type=payment_intent.confirmed')).toHaveLength(1);
});

test('does not store a refused parameter: the key can be used with a better one', async () => {
  const { stripe } = await startProvider();
  const refusal = await refusalOf(stripe.paymentIntents.create({ ...visa, amount: 0 }, { idempotencyKey: 'a' }));
  expect(refusal).toMatchObject({ statusCode: 400, param: 'amount' });
  expect((await stripe.paymentIntents.create(visa, { idempotencyKey: 'a' })).amount).toBe(4500);
});

test('does not store a 429', async () => {
  const { stripe, post } = await startProvider();
  await post('/_control/faults', { fault: '429', retryAfter: '7' });
  const refusal = await refusalOf(stripe.paymentIntents.create(visa, { idempotencyKey: 'a' }));
  expect(refusal).toMatchObject({ statusCode: 429, type: 'StripeRateLimitError' });
  expect(refusal.headers?.['retry-after']).toBe('7');
  expect((await stripe.paymentIntents.create(visa, { idempotencyKey: 'a' })).amount).toBe(4500);
});

test('stores a decline and replays it without asking the bank again', async () => {
  const { stripe, effects } = await startProvider();
  const declined = { ...authorise, payment_method: 'pm_card_chargeDeclined' };
  const first = await refusalOf(stripe.paymentIntents.create(declined, { idempotencyKey: 'a' }));
  const again = await refusalOf(stripe.paymentIntents.create(declined, { idempotencyKey: 'a' }));
  expect(again).toMatchObject({ statusCode: 402, code: 'card_declined', charge: first.charge });
  expect(again.headers?.['idempotent-replayed']).toBe('true');
  expect(await effects('?type=payment_intent.declined')).toHaveLength(1);
});

test.each(['500_before', '500_after'])('stores a %s and replays it', async (fault) => {
  const { stripe, post, effects } = await startProvider();
  await post('/_control/faults', { fault });
  for (const _ of ['first', 'again']) {
    const refusal = await refusalOf(stripe.paymentIntents.create(visa, { idempotencyKey: 'a' }));
    expect(refusal).toMatchObject({ statusCode: 500, type: 'StripeAPIError' });
  }
  expect(await effects()).toHaveLength(fault === '500_after' ? 1 : 0);
});

test('stores what the state refused, as the execution had begun', async () => {
  const { stripe } = await startProvider();
  const { id } = await stripe.paymentIntents.create(visa, { idempotencyKey: 'a' });
  await refusalOf(stripe.paymentIntents.capture(id, {}, { idempotencyKey: 'b' }));
  await stripe.paymentIntents.confirm(id, {}, { idempotencyKey: 'c' });
  const again = await refusalOf(stripe.paymentIntents.capture(id, {}, { idempotencyKey: 'b' }));
  expect(again).toMatchObject({ code: 'payment_intent_unexpected_state' });
  expect(again.headers?.['idempotent-replayed']).toBe('true');
});

test('executes again once the window of the key has passed', async () => {
  const { stripe, post, effects } = await startProvider();
  const first = await stripe.paymentIntents.create(authorise, { idempotencyKey: 'a' });
  await post('/_control/settings', { clockOffsetMs: DAY - 60_000 });
  expect((await stripe.paymentIntents.create(authorise, { idempotencyKey: 'a' })).id).toBe(first.id);
  await post('/_control/settings', { clockOffsetMs: DAY });
  expect((await stripe.paymentIntents.create(authorise, { idempotencyKey: 'a' })).id).not.toBe(first.id);
  expect(await effects('?type=payment_intent.confirmed')).toHaveLength(2);
});

test('counts the window to the millisecond', () => {
  const keys = new KeyStore();
  keys.store('a', '/v1/refunds', 'f', 1000, 'req_1', { status: 200, body: '{}' });
  expect(keys.claim('a', '/v1/refunds', 'f', 1000 + DAY - 1, DAY).kind).toBe('replay');
  expect(keys.claim('a', '/v1/refunds', 'f', 1000 + DAY, DAY).kind).toBe('won');
});

test('takes a window of its own length', async () => {
  const { stripe } = await startProvider({ keyWindowMs: 0 });
  const first = await stripe.paymentIntents.create(visa, { idempotencyKey: 'a' });
  expect((await stripe.paymentIntents.create(visa, { idempotencyKey: 'a' })).id).not.toBe(first.id);
});

test('takes a key of 255 characters and refuses one of 256', async () => {
  const { stripe } = await startProvider();
  await stripe.paymentIntents.create(visa, { idempotencyKey: 'k'.repeat(255) });
  const refusal = await refusalOf(stripe.paymentIntents.create(visa, { idempotencyKey: 'k'.repeat(256) }));
  expect(refusal).toMatchObject({ statusCode: 400, rawType: 'invalid_request_error' });
});

test('ignores a key on a GET', async () => {
  const { stripe } = await startProvider();
  const { id } = await stripe.paymentIntents.create(visa, { idempotencyKey: 'a' });
  const read = () => stripe.paymentIntents.retrieve(id, {}, { idempotencyKey: 'g' });
  await read();
  await stripe.paymentIntents.confirm(id, {}, { idempotencyKey: 'b' });
  expect((await read()).status).toBe('succeeded');
});
