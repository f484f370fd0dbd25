import { expect, test } from 'vitest';
import { authorise, refusalOf, startProvider, visa, type TestProvider } from './provider.ts';

let keys = 0;
const key = () => ({ idempotencyKey: `k${++keys}` });

async function paid({ stripe }: TestProvider, captured = 4500): Promise<string> {
  const { id } = await stripe.paymentIntents.create({ ...authorise, metadata: { operation: 'op1' } }, key());
  await stripe.paymentIntents.capture(id, { amount_to_capture: captured }, key());
  return id;
}

test('gives all of the money back when no amount is named', async () => {
  const provider = await startProvider();
  const payment_intent = await paid(provider);
  const refund = await provider.stripe.refunds.create({ payment_intent, reason: 'requested_by_customer' }, key());
  expect(refund).toMatchObject({
    object: 'refund',
    amount: 4500,
    currency: 'eur',
    status: 'succeeded',
    payment_intent,
  });
  expect(await provider.stripe.refunds.retrieve(refund.id)).toMatchObject({ id: refund.id });
});

test('lists the refunds of one PaymentIntent', async () => {
  const provider = await startProvider();
  const [one, other] = [await paid(provider), await paid(provider)];
  const first = await provider.stripe.refunds.create({ payment_intent: one, amount: 1000 }, key());
  const second = await provider.stripe.refunds.create({ payment_intent: one, amount: 500 }, key());
  await provider.stripe.refunds.create({ payment_intent: other }, key());
  const { data } = await provider.stripe.refunds.list({ payment_intent: one });
  expect(data.map(({ id, amount }) => [id, amount])).toEqual([
    [second.id, 500],
    [first.id, 1000],
  ]);
});

test('runs two equal partial refunds on purpose, and a repeated one once', async () => {
  const provider = await startProvider();
  const payment_intent = await paid(provider);
  await provider.stripe.refunds.create({ payment_intent, amount: 1000 }, { idempotencyKey: 'first' });
  await provider.stripe.refunds.create({ payment_intent, amount: 1000 }, { idempotencyKey: 'second' });
  await provider.stripe.refunds.create({ payment_intent, amount: 1000 }, { idempotencyKey: 'second' });
  expect(await provider.effects('?type=refund.created')).toHaveLength(2);
});

test('never gives back more than was captured, which may be less than was authorised', async () => {
  const provider = await startProvider();
  const payment_intent = await paid(provider, 4000);
  const refusal = await refusalOf(provider.stripe.refunds.create({ payment_intent, amount: 4001 }, key()));
  expect(refusal).toMatchObject({ statusCode: 400, param: 'amount' });
  expect(await provider.stripe.refunds.create({ payment_intent }, key())).toMatchObject({ amount: 4000 });
  const again = await refusalOf(provider.stripe.refunds.create({ payment_intent, amount: 1 }, key()));
  expect(again).toMatchObject({ statusCode: 400, code: 'charge_already_refunded' });
});

test('never gives back more than was captured, whatever comes at once', async () => {
  const provider = await startProvider();
  const payment_intent = await paid(provider);
  const wishes = Array.from({ length: 50 }, () =>
    provider.stripe.refunds.create({ payment_intent, amount: 1000 }, key()),
  );
  const outcomes = await Promise.allSettled(wishes);
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
  const effects = await provider.effects('?type=refund.created');
  expect(effects.reduce((sum, { amount }) => sum + amount, 0)).toBe(4000);
});

test.each([0, -100])('gives no amount of %i back', async (amount) => {
  const provider = await startProvider();
  const payment_intent = await paid(provider);
  const refusal = await refusalOf(provider.stripe.refunds.create({ payment_intent, amount }, key()));
  expect(refusal).toMatchObject({ statusCode: 400, param: 'amount' });
  expect(await provider.effects('?type=refund.created')).toEqual([]);
});

test('gives nothing back while nothing is captured', async () => {
  const { stripe } = await startProvider();
  for (const parameters of [visa, authorise]) {
    const { id } = await stripe.paymentIntents.create(parameters, key());
    expect(await refusalOf(stripe.refunds.create({ payment_intent: id }, key()))).toMatchObject({ statusCode: 400 });
  }
  const refusal = await refusalOf(stripe.refunds.create({ payment_intent: 'pi_nobody' }, key()));
  expect(refusal).toMatchObject({ statusCode: 400, code: 'resource_missing', param: 'payment_intent' });
});

test("counts a refund for the payment's operation, or for its own when it names one", async () => {
  const provider = await startProvider();
  const payment_intent = await paid(provider);
  await provider.stripe.refunds.create({ payment_intent, amount: 100 }, key());
  await provider.stripe.refunds.create({ payment_intent, amount: 200, metadata: { operation: 'op2' } }, key());
  expect(await provider.effects('?type=refund.created')).toMatchObject([
    { operation: 'op1', amount: 100, paymentIntent: payment_intent },
    { operation: 'op2', amount: 200, paymentIntent: payment_intent },
  ]);
});

test('takes and gives back currencies with three decimals in tens', async () => {
  const { stripe, effects } = await startProvider();
  const { id: payment_intent } = await stripe.paymentIntents.create({ ...authorise, currency: 'kwd' }, key());
  const tooFine = await refusalOf(stripe.paymentIntents.capture(payment_intent, { amount_to_capture: 4015 }, key()));
  expect(tooFine).toMatchObject({ statusCode: 400, param: 'amount_to_capture' });
  await stripe.paymentIntents.capture(payment_intent, { amount_to_capture: 4010 }, key());
  const refused = await refusalOf(stripe.refunds.create({ payment_intent, amount: 1005 }, key()));
  expect(refused).toMatchObject({ statusCode: 400, type: 'StripeInvalidRequestError', param: 'amount' });
  expect(await effects('?type=refund.created')).toEqual([]);
  expect(await stripe.refunds.create({ payment_intent, amount: 1010 }, key())).toMatchObject({ amount: 1010 });
});
