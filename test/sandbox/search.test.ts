import { expect, test } from 'vitest';
import { authorise, refusalOf, startProvider } from './provider.ts';

const query = "metadata['operation']:'op1'";
const metadata = { operation: 'op1' };

test('does not see a new PaymentIntent until the lag has passed, although a retrieve does', async () => {
  const { stripe, post } = await startProvider();
  const { id } = await stripe.paymentIntents.create({ ...authorise, metadata }, { idempotencyKey: 'a' });
  await post('/_control/settings', { clockOffsetMs: 20_000 });
  expect((await stripe.paymentIntents.search({ query })).data).toEqual([]);
  expect((await stripe.paymentIntents.retrieve(id)).status).toBe('requires_capture');
  await post('/_control/settings', { clockOffsetMs: 61_000 });
  expect((await stripe.paymentIntents.search({ query })).data).toMatchObject([{ id }]);
});

test('shows an old state until the lag has passed', async () => {
  const { stripe, post } = await startProvider();
  const { id } = await stripe.paymentIntents.create({ ...authorise, metadata }, { idempotencyKey: 'a' });
  await post('/_control/settings', { clockOffsetMs: 61_000 });
  await stripe.paymentIntents.capture(id, {}, { idempotencyKey: 'b' });
  const status = async () => (await stripe.paymentIntents.search({ query })).data[0]?.status;
  expect(await status()).toBe('requires_capture');
  await post('/_control/settings', { clockOffsetMs: 122_000 });
  expect(await status()).toBe('succeeded');
});

test.each([
  [query, ['op1']],
  [`metadata["operation"]:"op1"`, ['op1']],
  [`${query} AND status:'requires_capture'`, ['op1']],
  [`${query} AND status:'succeeded'`, []],
  [`${query} OR metadata['operation']:'op2'`, ['op2', 'op1']],
  ["-metadata['operation']:'op1'", ['op2']],
  ["metadata['operation']~'op'", ['op2', 'op1']],
  ["metadata['nothing']:null", ['op2', 'op1']],
  ['amount>4500', []],
  ["currency:'eur' AND amount:4500", ['op2', 'op1']],
])('finds by %s', async (text, found) => {
  const { stripe } = await startProvider({ searchLagMs: 0 });
  for (const operation of ['op1', 'op2']) {
    await stripe.paymentIntents.create({ ...authorise, metadata: { operation } }, { idempotencyKey: operation });
  }
  const { data } = await stripe.paymentIntents.search({ query: text });
  expect(data.map((intent) => intent.metadata.operation)).toEqual(found);
});

test.each(['', 'operation', `${query} AND`, `${query} AND amount>1 OR amount<1`, "colour:'red'"])(
  'refuses the query "%s"',
  async (text) => {
    const { stripe } = await startProvider();
    expect(await refusalOf(stripe.paymentIntents.search({ query: text }))).toMatchObject({
      statusCode: 400,
      param: 'query',
    });
  },
);

test('gives its finds page by page', async () => {
  const { stripe } = await startProvider({ searchLagMs: 0 });
  for (const key of ['a', 'b', 'c'])
    await stripe.paymentIntents.create({ ...authorise, metadata }, { idempotencyKey: key });
  const first = await stripe.paymentIntents.search({ query, limit: 2 });
  expect(first).toMatchObject({ has_more: true });
  const second = await stripe.paymentIntents.search({ query, limit: 2, page: first.next_page ?? '' });
  expect(new Set([...first.data, ...second.data].map(({ id }) => id)).size).toBe(3);
  expect(second.has_more).toBe(false);
});
