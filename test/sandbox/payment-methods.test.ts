import { expect, test } from 'vitest';
import { authorise, refusalOf, startProvider, visa } from './provider.ts';

let keys = 0;
const key = () => ({ idempotencyKey: `k${++keys}` });

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
  ['pm_card_chargeDeclined', 'card_declined', 'generic_decline'],
  ['pm_card_visa_chargeDeclined', 'card_declined', 'generic_decline'],
  ['pm_card_chargeDeclinedInsufficientFunds', 'card_declined', 'insufficient_funds'],
  ['pm_card_visa_chargeDeclinedInsufficientFunds', 'card_declined', 'insufficient_funds'],
  ['pm_card_chargeDeclinedExpiredCard', 'expired_card', 'expired_card'],
  ['pm_card_chargeDeclinedProcessingError', 'processing_error', 'processing_error'],
  ['pm_card_visa_chargeDeclinedVelocityLimitExceeded', 'card_declined', 'card_velocity_exceeded'],
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
