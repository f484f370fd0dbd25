import type Stripe from 'stripe';
import { expect, test } from 'vitest';
import { authorise, refusalOf, startProvider, visa, type TestProvider } from './provider.ts';

type Status = Stripe.PaymentIntent.Status;

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
    default: {
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

test.each([
  ['pm_card_chargeDeclined', 'card_declined', 'generic_decline'],
  ['pm_card_visa_chargeDeclined', 'card_declined', 'generic_decline'],
  ['pm_card_chargeDeclinedInsufficientFunds', 'card_declined', 'insufficient_funds'],
  ['pm_card_visa_chargeDeclinedInsufficientFunds', 'card_declined', 'insufficient_funds'],
  ['pm_card_chargeDeclinedExpiredCard', 'expired_card', 'expired_card'],
])('declines %s with %s, %s', async (payment_method, code, decline_code) => {
  const { stripe } = await startProvider();
  const { id } = await stripe.paymentIntents.create({ ...visa, payment_method }, key());
  const refusal = await refusalOf(stripe.paymentIntents.confirm(id, {}, key()));
  expect(refusal).toMatchObject({
    type: 'StripeCardError',
    statusCode: 402,
    code,
    decline_code,
    payment_intent: { id },
  });
  expect(await stripe.paymentIntents.retrieve(id)).toMatchObject({
    status: 'requires_payment_method',
    payment_method: null,
    last_payment_error: { type: 'card_error', code, decline_code },
  });
});

test('can be confirmed with another card after a decline', async () => {
  const { stripe } = await startProvider();
  const refusal = await refusalOf(
    stripe.paymentIntents.create({ ...authorise, payment_method: 'pm_card_chargeDeclined' }, key()),
  );
  const id = refusal.payment_intent?.id ?? '';
  const again = await stripe.paymentIntents.confirm(id, { payment_method: 'pm_card_mastercard' }, key());
  expect(again).toMatchObject({ status: 'requires_capture', last_payment_error: null });
});

test.each(['pm_card_visa', 'pm_card_mastercard', 'pm_card_amex', 'pm_card_discover', 'pm_card_jcb'])(
  'takes %s',
  async (payment_method) => {
    const { stripe } = await startProvider();
    expect((await stripe.paymentIntents.create({ ...authorise, payment_method }, key())).status).toBe(
      'requires_capture',
    );
  },
);

test('knows no other payment method', async () => {
  const { stripe, effects } = await startProvider();
  const refusal = await refusalOf(stripe.paymentIntents.create({ ...authorise, payment_method: 'pm_nobody' }, key()));
  expect(refusal).toMatchObject({ statusCode: 400, code: 'resource_missing', param: 'payment_method' });
  expect(await effects()).toEqual([]);
});

test.each(['pm_card_threeDSecure2Required', 'pm_card_authenticationRequired'])(
  'asks for 3DS with %s and goes on when it is passed',
  async (payment_method) => {
    const { stripe, post, effects } = await startProvider();
    const asked = await stripe.paymentIntents.create(
      { ...authorise, payment_method, return_url: 'https://shop.example/back' },
      key(),
    );
    expect(asked).toMatchObject({
      status: 'requires_action',
      amount_capturable: 0,
      next_action: { type: 'redirect_to_url' },
    });
    expect(asked.client_secret).toMatch(/^pi_\w+_secret_\w+$/);

    expect(await post(`/_control/payment_intents/${asked.id}/authenticate`)).toMatchObject({
      id: asked.id,
      status: 'requires_capture',
    });
    expect((await stripe.paymentIntents.retrieve(asked.id)).next_action).toBeNull();
    expect((await effects()).map((effect) => effect.type)).toEqual([
      'payment_intent.created',
      'payment_intent.requires_action',
      'payment_intent.confirmed',
    ]);
  },
);

test('asks for another card when 3DS is failed', async () => {
  const { stripe, post } = await startProvider();
  const { id } = await stripe.paymentIntents.create(
    { ...authorise, payment_method: 'pm_card_threeDSecure2Required' },
    key(),
  );
  await post(`/_control/payment_intents/${id}/authenticate`, { outcome: 'fail' });
  expect(await stripe.paymentIntents.retrieve(id)).toMatchObject({
    status: 'requires_payment_method',
    last_payment_error: { code: 'payment_intent_authentication_failure' },
  });
});

test('declines instead of asking when nobody is there to answer', async () => {
  const { stripe } = await startProvider();
  const refusal = await refusalOf(
    stripe.paymentIntents.create(
      { ...authorise, payment_method: 'pm_card_authenticationRequired', off_session: true },
      key(),
    ),
  );
  expect(refusal).toMatchObject({ statusCode: 402, code: 'authentication_required' });
});

test.each([
  [{ amount: 4500 }, 'currency'],
  [{ currency: 'eur' }, 'amount'],
  [{ amount: 45.5, currency: 'eur' }, 'amount'],
  [{ amount: -1, currency: 'eur' }, 'amount'],
  [{ amount: 49, currency: 'eur' }, 'amount'],
  [{ amount: 100_000_000, currency: 'eur' }, 'amount'],
  [{ amount: 4500, currency: 'nil' }, 'currency'],
  [{ amount: 4500, currency: 'eur', capture_method: 'later' }, 'capture_method'],
  [{ amount: 4500, currency: 'eur', receipt_email: 'nobody' }, 'receipt_email'],
  [{ amount: 4500, currency: 'eur', colour: 'red' }, 'colour'],
  [{ amount: 4500, currency: 'eur', metadata: { note: 'n'.repeat(501) } }, 'metadata[note]'],
  [{ amount: 4500, currency: 'eur', confirm: true }, 'payment_method'],
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
