import type Stripe from 'stripe';
import { expect, test } from 'vitest';
import { authorise, refusalOf, startProvider, temporaryDirectory, type TestProvider } from './provider.ts';

let keys = 0;
const key = () => ({ idempotencyKey: `k${++keys}` });

async function paid({ stripe }: TestProvider, changes = {}): Promise<string> {
  const { id } = await stripe.paymentIntents.create(
    { ...authorise, ...changes, metadata: { operation: 'op1' } },
    key(),
  );
  await stripe.paymentIntents.capture(id, {}, key());
  return id;
}

async function movements({ stripe }: TestProvider, more: Stripe.BalanceTransactionListParams = {}) {
  const all: Stripe.BalanceTransaction[] = [];
  for await (const one of stripe.balanceTransactions.list({ limit: 2, ...more })) all.push(one);
  return all.map(({ reporting_category: category, amount, fee }) => [category, amount, fee]);
}

test('books each movement of money once, newest first, page by page', async () => {
  const provider = await startProvider();
  const payment_intent = await paid(provider);
  const { id } = await provider.stripe.refunds.create({ payment_intent, amount: 1000 }, key());
  await provider.post(`/_control/refunds/${id}/fail`, {});
  const dispute = await provider.post<Stripe.Dispute>('/_control/disputes', { payment_intent, amount: 500 });
  await provider.post(`/_control/disputes/${dispute.id}/close`, { outcome: 'won' });
  const before = await provider.stripe.balance.retrieve();
  await provider.post('/_control/payouts', { currency: 'eur' });
  expect(await movements(provider)).toEqual([
    ['payout', -(before.available[0]?.amount ?? 0), 0],
    ['dispute_reversal', 500, -1500],
    ['dispute', -500, 1500],
    ['refund_failure', 1000, 0],
    ['refund', -1000, 0],
    ['charge', 4500, 93],
  ]);
  // What was taken and given, less what it costs.
  expect(before.available).toMatchObject([{ currency: 'eur', amount: 4500 - 93 }]);
  expect((await provider.stripe.balance.retrieve()).available).toMatchObject([{ amount: 0 }]);
});

test('tells with each movement what has moved the money', async () => {
  const provider = await startProvider();
  const payment_intent = await paid(provider);
  await provider.stripe.refunds.create({ payment_intent }, key());
  const { data } = await provider.stripe.balanceTransactions.list({ expand: ['data.source'] });
  expect(data.map(({ source }) => source)).toMatchObject([
    { object: 'refund', amount: 4500, payment_intent },
    { object: 'charge', amount_captured: 4500, payment_intent, metadata: { operation: 'op1' } },
  ]);
  const intent = await provider.stripe.paymentIntents.retrieve(payment_intent, {
    expand: ['latest_charge.balance_transaction'],
  });
  expect(intent.latest_charge).toMatchObject({ amount_refunded: 4500, balance_transaction: { amount: 4500, fee: 93 } });
  const none = provider.stripe.paymentIntents.retrieve(payment_intent, { expand: ['customer'] });
  expect(await refusalOf(none)).toMatchObject({ statusCode: 400, code: 'property_cannot_be_expanded' });
});

test('lists the movements of a time', async () => {
  const provider = await startProvider();
  await paid(provider);
  await provider.post('/_control/settings', { clockOffsetMs: 3_600_000 });
  await paid(provider);
  const soon = Math.floor(Date.now() / 1000) + 1800;
  expect(await movements(provider, { created: { gte: soon } })).toHaveLength(1);
  expect(await movements(provider, { created: { lt: soon } })).toHaveLength(1);
});

test('says of a refund that came back that it has failed, and gives the money once more', async () => {
  const provider = await startProvider();
  const payment_intent = await paid(provider);
  const { id } = await provider.stripe.refunds.create({ payment_intent }, key());
  await provider.post(`/_control/refunds/${id}/fail`, {});
  const failed = { id, status: 'failed', failure_reason: 'expired_or_canceled_card' };
  expect(await provider.stripe.refunds.retrieve(id)).toMatchObject(failed);
  const events = await provider.stripe.events.list({ type: 'refund.failed' });
  expect(events.data.map(({ data: { object } }) => object)).toMatchObject([failed]);
  await expect(provider.post(`/_control/refunds/${id}/fail`, {})).rejects.toThrow('has failed already');
  expect(await provider.stripe.refunds.create({ payment_intent }, key())).toMatchObject({ amount: 4500 });
});

test('moves nothing for a refund that stays pending and then fails', async () => {
  const provider = await startProvider();
  const payment_intent = await paid(provider, { payment_method: 'pm_card_pendingRefund' });
  const before = (await movements(provider)).length;
  const { id, status } = await provider.stripe.refunds.create({ payment_intent }, key());
  expect(status).toBe('pending');
  await provider.post(`/_control/refunds/${id}/fail`, {});
  expect(await provider.stripe.refunds.retrieve(id)).toMatchObject({ status: 'failed', balance_transaction: null });
  expect(await movements(provider)).toHaveLength(before);
  const told = (await provider.stripe.events.list({ limit: 100 })).data.map(({ type }) => type);
  expect(told.filter((type) => type.startsWith('refund'))).toEqual(['refund.failed', 'refund.created']);
});

test('gives the money of a dispute back once: by the bank, or by a refund', async () => {
  const provider = await startProvider();
  const [disputed, refunded] = [await paid(provider), await paid(provider)];
  const { id } = await provider.post<Stripe.Dispute>('/_control/disputes', { payment_intent: disputed });
  const refusal = await refusalOf(provider.stripe.refunds.create({ payment_intent: disputed }, key()));
  expect(refusal).toMatchObject({ statusCode: 400, code: 'charge_disputed' });
  await provider.stripe.refunds.create({ payment_intent: refunded }, key());
  await expect(provider.post('/_control/disputes', { payment_intent: refunded })).rejects.toThrow('can be disputed');
  await provider.post(`/_control/disputes/${id}/close`, { outcome: 'lost' });
  expect((await provider.stripe.disputes.list({ payment_intent: disputed })).data).toMatchObject([
    { id, status: 'lost', amount: 4500, balance_transactions: [{ amount: -4500, fee: 1500 }] },
  ]);
  const types = (await provider.stripe.events.list({ limit: 100 })).data.map(({ type }) => type);
  expect(types.filter((type) => type.includes('dispute'))).toEqual(['charge.dispute.closed', 'charge.dispute.created']);
});

test('knows all of it after a restart', async () => {
  const data = await temporaryDirectory();
  const provider = await startProvider({ data });
  const payment_intent = await paid(provider);
  await provider.post('/_control/disputes', { payment_intent });
  const before = await movements(provider);
  const again = await startProvider({ data });
  expect(await movements(again)).toEqual(before);
  expect((await again.stripe.disputes.list({ payment_intent })).data).toHaveLength(1);
});
