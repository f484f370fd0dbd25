import { expect, test } from 'vitest';
import type { PaymentIntentState } from '../../workers/sandbox/payment-intent.ts';
import { authorise, refusalOf, startProvider, visa, type TestProvider } from './provider.ts';

type Status = PaymentIntentState['status'];

let keys = 0;
const key = () => ({ idempotencyKey: `k${++keys}` });

/** Brings a PaymentIntent into a state by the ways a merchant has. */
async function intentIn({ stripe }: TestProvider, status: Status): Promise<string> {
  switch (status) {
    case 'requires_payment_method':
      return (await stripe.paymentIntents.create({ amount: 4500, currency: 'eur' }, key())).id;
    case 'requires_confirmation':
      return (await stripe.paymentIntents.create(visa, key())).id;
    case 'requires_action':
      return (
        await stripe.paymentIntents.create({ ...authorise, payment_method: 'pm_card_authenticationRequired' }, key())
      ).id;
    case 'requires_capture':
      return (await stripe.paymentIntents.create(authorise, key())).id;
    case 'succeeded':
      return (await stripe.paymentIntents.create({ ...visa, confirm: true }, key())).id;
    case 'canceled': {
      const { id } = await stripe.paymentIntents.create(authorise, key());
      await stripe.paymentIntents.cancel(id, {}, key());
      return id;
    }
  }
}

const moves: [Status, 'confirm' | 'capture' | 'cancel', Status | 'refused'][] = [
  ['requires_payment_method', 'confirm', 'refused'],
  ['requires_payment_method', 'capture', 'refused'],
  ['requires_payment_method', 'cancel', 'canceled'],
  ['requires_confirmation', 'confirm', 'succeeded'],
  ['requires_confirmation', 'capture', 'refused'],
  ['requires_confirmation', 'cancel', 'canceled'],
  ['requires_action', 'confirm', 'requires_action'],
  ['requires_action', 'capture', 'refused'],
  ['requires_action', 'cancel', 'canceled'],
  ['requires_capture', 'confirm', 'refused'],
  ['requires_capture', 'capture', 'succeeded'],
  ['requires_capture', 'cancel', 'canceled'],
  ['succeeded', 'confirm', 'refused'],
  ['succeeded', 'capture', 'refused'],
  ['succeeded', 'cancel', 'refused'],
  ['canceled', 'confirm', 'refused'],
  ['canceled', 'capture', 'refused'],
  ['canceled', 'cancel', 'refused'],
];

test.each(moves)('from %s, %s: %s', async (from, move, to) => {
  const provider = await startProvider();
  const id = await intentIn(provider, from);
  expect((await provider.stripe.paymentIntents.retrieve(id)).status).toBe(from);

  const call = provider.stripe.paymentIntents[move](id, {}, key());
  if (to === 'refused') {
    expect(await refusalOf(call)).toMatchObject({
      statusCode: 400,
      code: 'payment_intent_unexpected_state',
      payment_intent: { id },
    });
  } else {
    expect((await call).status).toBe(to);
  }
  expect((await provider.stripe.paymentIntents.retrieve(id)).status).toBe(to === 'refused' ? from : to);
});

test('authorises first and captures later, and tells what moved', async () => {
  const { stripe, effects } = await startProvider();
  const created = await stripe.paymentIntents.create(
    {
      ...visa,
      capture_method: 'manual',
      metadata: { operation: 'op1' },
      receipt_email: 'ann@example.com',
      description: 'Two hats',
    },
    key(),
  );
  expect(created).toMatchObject({
    object: 'payment_intent',
    status: 'requires_confirmation',
    amount_capturable: 0,
    receipt_email: 'ann@example.com',
    description: 'Two hats',
    metadata: { operation: 'op1' },
    livemode: false,
    latest_charge: null,
  });
  const confirmed = await stripe.paymentIntents.confirm(created.id, {}, { idempotencyKey: 'confirm' });
  expect(confirmed).toMatchObject({ status: 'requires_capture', amount_capturable: 4500, amount_received: 0 });
  const captured = await stripe.paymentIntents.capture(created.id, { amount_to_capture: 4000 }, key());
  expect(captured).toMatchObject({
    status: 'succeeded',
    amount: 4500,
    amount_capturable: 0,
    amount_received: 4000,
    latest_charge: confirmed.latest_charge,
  });
  expect(await effects('?operation=op1')).toMatchObject([
    { type: 'payment_intent.created', amount: 4500, currency: 'eur', object: created.id },
    {
      type: 'payment_intent.confirmed',
      amount: 4500,
      idempotencyKey: 'confirm',
      requestId: confirmed.lastResponse.requestId,
    },
    { type: 'payment_intent.captured', amount: 4000, metadata: { operation: 'op1' } },
  ]);
});

test('takes the money at once when the capture is automatic', async () => {
  const { stripe, effects } = await startProvider();
  expect(await stripe.paymentIntents.create({ ...visa, confirm: true }, key())).toMatchObject({
    status: 'succeeded',
    amount_received: 4500,
  });
  expect((await effects()).map((effect) => effect.type)).toEqual([
    'payment_intent.created',
    'payment_intent.confirmed',
    'payment_intent.captured',
  ]);
});

test('never captures more than was authorised', async () => {
  const { stripe, effects } = await startProvider();
  const { id } = await stripe.paymentIntents.create(authorise, key());
  const refusal = await refusalOf(stripe.paymentIntents.capture(id, { amount_to_capture: 4501 }, key()));
  expect(refusal).toMatchObject({ statusCode: 400, code: 'amount_too_large' });
  expect(await effects('?type=payment_intent.captured')).toEqual([]);
});

test('ends a race of captures and cancellations in one state', async () => {
  const { stripe, effects } = await startProvider();
  const { id } = await stripe.paymentIntents.create(authorise, key());
  await Promise.allSettled(
    Array.from({ length: 40 }, (_, i) =>
      i % 2 === 0 ? stripe.paymentIntents.capture(id, {}, key()) : stripe.paymentIntents.cancel(id, {}, key()),
    ),
  );
  const ends = (await effects()).filter(({ type }) => type.endsWith('.captured') || type.endsWith('.canceled'));
  expect(ends).toHaveLength(1);
});

test.each(['requires_confirmation', 'requires_capture', 'canceled'] as const)(
  'has nothing to authenticate in %s',
  async (status) => {
    const provider = await startProvider();
    const id = await intentIn(provider, status);
    await expect(provider.post(`/_control/payment_intents/${id}/authenticate`)).rejects.toThrow('400');
    expect((await provider.stripe.paymentIntents.retrieve(id)).status).toBe(status);
  },
);

test.each([0, -1])('does not capture an amount of %i', async (amount_to_capture) => {
  const { stripe } = await startProvider();
  const { id } = await stripe.paymentIntents.create(authorise, key());
  const refusal = await refusalOf(stripe.paymentIntents.capture(id, { amount_to_capture }, key()));
  expect(refusal).toMatchObject({ statusCode: 400, param: 'amount_to_capture' });
});

test('changes the metadata that an update names, unsets the empty, and leaves the rest', async () => {
  const { stripe } = await startProvider();
  const { id } = await stripe.paymentIntents.create({ ...visa, metadata: { a: '1', b: '2', c: '3' } }, key());
  const updated = await stripe.paymentIntents.update(id, { metadata: { b: '', c: '4' }, description: 'Hats' }, key());
  expect(updated).toMatchObject({ metadata: { a: '1', c: '4' }, description: 'Hats', status: 'requires_confirmation' });
  expect(updated.metadata).not.toHaveProperty('b');
});
