import type Stripe from 'stripe';
import { expect, test } from 'vitest';
import { authorise, refusalOf, startProvider, visa } from './provider.ts';

let keys = 0;
const key = () => ({ idempotencyKey: `k${++keys}` });

test.each([
  [{ amount: 4500 }, 'currency'],
  [{ currency: 'eur' }, 'amount'],
  [{ amount: 45.5, currency: 'eur' }, 'amount'],
  [{ amount: -1, currency: 'eur' }, 'amount'],
  [{ amount: 49, currency: 'eur' }, 'amount'],
  [{ amount: 100_000_000, currency: 'eur' }, 'amount'],
  [{ amount: 4505, currency: 'kwd' }, 'amount'],
  [{ amount: 4505, currency: 'bhd' }, 'amount'],
  [{ amount: 4505, currency: 'jod' }, 'amount'],
  [{ amount: 4505, currency: 'omr' }, 'amount'],
  [{ amount: 4505, currency: 'tnd' }, 'amount'],
  [{ amount: 4500, currency: 'nil' }, 'currency'],
  [{ amount: 4500, currency: 'eur', capture_method: 'later' }, 'capture_method'],
  [{ amount: 4500, currency: 'eur', receipt_email: 'nobody' }, 'receipt_email'],
  [{ amount: 4500, currency: 'eur', colour: 'red' }, 'colour'],
  [{ amount: 4500, currency: 'eur', metadata: { note: 'n'.repeat(501) } }, 'metadata[note]'],
  [{ amount: 4500, currency: 'eur', confirm: true }, 'payment_method'],
  // Since 2026-09-30.endive, the version that the package speaks.
  [{ amount: 4500, currency: 'eur', payment_method_types: ['card'] }, 'payment_method_types'],
])('refuses %j', async (parameters, param) => {
  const { stripe, effects } = await startProvider();
  const call = stripe.paymentIntents.create(parameters as unknown as Stripe.PaymentIntentCreateParams, key());
  expect(await refusalOf(call)).toMatchObject({ statusCode: 400, type: 'StripeInvalidRequestError', param });
  expect(await effects()).toEqual([]);
});

test('takes a metadata key named __proto__ as any other', async () => {
  const { stripe } = await startProvider();
  const metadata = JSON.parse('{"__proto__":"x","operation":"op1"}');
  const { id } = await stripe.paymentIntents.create({ ...visa, metadata }, key());
  const read = await stripe.paymentIntents.retrieve(id);
  expect(JSON.stringify(read.metadata)).toBe('{"__proto__":"x","operation":"op1"}');
});

test('does not pass over what it does not model', async () => {
  const { stripe } = await startProvider();
  const { id } = await stripe.paymentIntents.create(authorise, key());
  for (const call of [
    stripe.refunds.list({ charge: 'ch_4711' }),
    stripe.paymentIntents.capture(id, { expand: ['latest_charge'] }, key()),
    stripe.paymentIntents.list({ created: { gte: 1 } }),
  ]) {
    expect(await refusalOf(call)).toMatchObject({ statusCode: 400, code: 'parameter_unknown' });
  }
});

test('says 404 for a PaymentIntent that is not there, and 401 without a secret key', async () => {
  const { stripe, url } = await startProvider();
  expect(await refusalOf(stripe.paymentIntents.retrieve('pi_nobody'))).toMatchObject({
    statusCode: 404,
    code: 'resource_missing',
  });
  const response = await fetch(`${url}/v1/payment_intents`, { headers: { authorization: 'Bearer pk_test_x' } });
  expect(response.status).toBe(401);
  expect(response.headers.get('request-id')).toMatch(/^req_/);
});

test('lists the newest first, page by page', async () => {
  const { stripe } = await startProvider();
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.unshift((await stripe.paymentIntents.create(visa, key())).id);
  const listed = await stripe.paymentIntents.list({ limit: 2 }).autoPagingToArray({ limit: 100 });
  expect(listed.map(({ id }) => id)).toEqual(ids);
});
